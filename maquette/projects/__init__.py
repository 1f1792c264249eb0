"""Projects: the one document of each manga, saved section by section, with every version that was overwritten."""
