"""What users are told of each error code, in fr, en and es. A reason or a name comes in where braces stand."""

from typing import Final

LANGUAGES: Final = ("fr", "en", "es")

# The French texts of the video errors are those that existing clients show.
TEXTS: Final[dict[str, dict[str, str]]] = {
    "internal": {
        "fr": "Une erreur est survenue. Veuillez réessayer.",
        "en": "Something went wrong. Please try again.",
        "es": "Se ha producido un error. Inténtelo de nuevo.",
    },
    "invalid_input": {
        "fr": "La demande n'est pas valide : {reason}",
        "en": "The request is not valid: {reason}",
        "es": "La solicitud no es válida: {reason}",
    },
    "theme_empty": {
        "fr": "Le thème ne peut pas être vide",
        "en": "The theme cannot be empty",
        "es": "El tema no puede estar vacío",
    },
    "theme_too_long": {
        "fr": "Le thème est trop long (max 500 caractères)",
        "en": "The theme is too long (500 characters at most)",
        "es": "El tema es demasiado largo (máximo 500 caracteres)",
    },
    "script_not_drawable": {
        "fr": "Aucune police installée ne couvre ces caractères : {characters}",
        "en": "No installed font covers these characters: {characters}",
        "es": "Ninguna fuente instalada cubre estos caracteres: {characters}",
    },
    "body_too_large": {
        "fr": "La demande est trop volumineuse (max {limit} octets)",
        "en": "The request is too large ({limit} bytes at most)",
        "es": "La solicitud es demasiado grande (máximo {limit} bytes)",
    },
    "access_code": {
        "fr": "Code d'accès invalide. Il change toutes les heures.",
        "en": "Invalid access code. It changes every hour.",
        "es": "Código de acceso no válido. Cambia cada hora.",
    },
    "unauthorized": {
        "fr": "Jeton d'API absent ou invalide.",
        "en": "The API token is missing or wrong.",
        "es": "Falta el token de la API o no es válido.",
    },
    "not_found": {"fr": "Introuvable", "en": "Not found", "es": "No encontrado"},
    "video_not_found": {"fr": "Vidéo non trouvée", "en": "Video not found", "es": "Vídeo no encontrado"},
    "block_not_found": {
        "fr": "Bloc {number} non trouvé",
        "en": "Block {number} not found",
        "es": "Bloque {number} no encontrado",
    },
    "video_not_ready": {
        "fr": "La vidéo n'est pas encore terminée",
        "en": "The video is not finished yet",
        "es": "El vídeo aún no está terminado",
    },
    "video_busy": {
        "fr": "La vidéo est en cours de génération. Réessayez quand elle sera terminée.",
        "en": "The video is being generated. Try again when it has ended.",
        "es": "El vídeo se está generando. Inténtelo cuando haya terminado.",
    },
    "nothing_to_retry": {
        "fr": "Rien à relancer : tout est terminé ou déjà relancé",
        "en": "Nothing to retry: all is finished or was retried already",
        "es": "Nada que reintentar: todo está terminado o ya se reintentó",
    },
    "nothing_to_cancel": {
        "fr": "La commande est terminée : rien à annuler",
        "en": "The order has ended: nothing to cancel",
        "es": "El pedido ha terminado: nada que cancelar",
    },
    "conflict": {
        "fr": "Impossible dans l'état actuel",
        "en": "Not possible in the present state",
        "es": "No es posible en el estado actual",
    },
    "busy": {
        "fr": "Un traitement est en cours pour cet élément. Réessayez quand il sera terminé.",
        "en": "Work on this is under way. Try again when it has ended.",
        "es": "Hay un proceso en curso para este elemento. Inténtelo cuando haya terminado.",
    },
    "order_not_found": {"fr": "Commande non trouvée", "en": "Order not found", "es": "Pedido no encontrado"},
    "job_not_found": {"fr": "Tâche non trouvée", "en": "Job not found", "es": "Tarea no encontrada"},
    "brand_not_found": {"fr": "Marque non trouvée", "en": "Brand not found", "es": "Marca no encontrada"},
    "asset_not_found": {"fr": "Fichier non trouvé", "en": "Asset not found", "es": "Archivo no encontrado"},
    "carousel_not_found": {"fr": "Carrousel non trouvé", "en": "Carousel not found", "es": "Carrusel no encontrado"},
    "slide_not_found": {
        "fr": "Slide {number} non trouvée",
        "en": "Slide {number} not found",
        "es": "Diapositiva {number} no encontrada",
    },
    "draft_not_found": {
        "fr": "Brouillon {draft_id} non trouvé",
        "en": "Draft {draft_id} not found",
        "es": "Borrador {draft_id} no encontrado",
    },
    "draft_asset_not_found": {
        "fr": "Élément {asset_id} non trouvé",
        "en": "Asset {asset_id} not found",
        "es": "Elemento {asset_id} no encontrado",
    },
    "draft_version_not_found": {
        "fr": "Version non trouvée",
        "en": "Version not found",
        "es": "Versión no encontrada",
    },
    "project_id_required": {
        "fr": "Project ID requis",
        "en": "The project's id is required",
        "es": "Falta el ID del proyecto",
    },
    "project_not_found": {"fr": "Projet non trouvé", "en": "Project not found", "es": "Proyecto no encontrado"},
    "project_version_not_found": {
        "fr": "Version {version} introuvable : elle n'a jamais existé ou n'est plus conservée",
        "en": "Version {version} not found: it was never there, or is kept no more",
        "es": "Versión {version} no encontrada: nunca existió o ya no se conserva",
    },
    "version_conflict": {
        "fr": "Ce projet a été modifié entre-temps ({sections}) : réunissez les deux versions, puis enregistrez",
        "en": "This project was changed meanwhile ({sections}): bring both versions together, then save",
        "es": "Este proyecto se modificó entretanto ({sections}): reúna las dos versiones y guarde de nuevo",
    },
    "invalid_json": {
        "fr": "Le corps de la requête n'est pas un objet JSON valide : {reason}",
        "en": "The request's body is not a valid JSON object: {reason}",
        "es": "El cuerpo de la solicitud no es un objeto JSON válido: {reason}",
    },
    "unstorable_character": {
        "fr": "Le texte {pointer} contient un caractère qui ne peut pas être enregistré ({character}) : retirez-le",
        "en": "The text {pointer} holds a character that cannot be kept ({character}): remove it",
        "es": "El texto {pointer} contiene un carácter que no se puede guardar ({character}): quítelo",
    },
    "words_not_found": {"fr": "Mots non trouvés", "en": "Words not found", "es": "Palabras no encontradas"},
    "universe_not_found": {
        "fr": "Univers non trouvé",
        "en": "Universe not found",
        "es": "Universo no encontrado",
    },
    "universe_exists": {
        "fr": "L'univers « {name} » existe déjà",
        "en": "Universe '{name}' already exists",
        "es": "El universo «{name}» ya existe",
    },
    "prompts_not_found": {"fr": "Prompts non trouvés", "en": "Prompts not found", "es": "Prompts no encontrados"},
    "data_not_found": {"fr": "Données non trouvées", "en": "Data not found", "es": "Datos no encontrados"},
    "prompt_required": {"fr": "Le prompt manque", "en": "Prompt required", "es": "Falta el prompt"},
    "theme_required": {"fr": "Le thème manque", "en": "Theme required", "es": "Falta el tema"},
    "lyrics_required": {"fr": "Les paroles manquent", "en": "Lyrics required", "es": "Falta la letra"},
    "invalid_index": {"fr": "Indice non valide", "en": "Invalid index", "es": "Índice no válido"},
    "invalid_color": {
        "fr": "Format de couleur non valide",
        "en": "Invalid color format",
        "es": "Formato de color no válido",
    },
    "one_way": {
        "fr": "La publication est à sens unique : rien n'est relu depuis la production",
        "en": "Publishing is one way: nothing is read back from production",
        "es": "La publicación es en un solo sentido: no se vuelve a leer nada de producción",
    },
    "generation_failed": {
        "fr": "Échec de la génération ({what}) : {reason}",
        "en": "Failed to generate {what}: {reason}",
        "es": "No se pudo generar ({what}): {reason}",
    },
    "bucket_not_configured": {
        "fr": "Supabase n'est pas configuré",
        "en": "Supabase not configured",
        "es": "Supabase no está configurado",
    },
    "no_objects": {"fr": "Aucun objet trouvé", "en": "No objects found", "es": "No se encontraron objetos"},
    "draft_incomplete": {
        "fr": "Le brouillon n'est pas complet : {reason}",
        "en": "The draft is not complete: {reason}",
        "es": "El borrador no está completo: {reason}",
    },
    "approval_required": {
        "fr": "La publication attend une approbation de la version actuelle",
        "en": "Publishing waits for an approval of the present version",
        "es": "La publicación espera una aprobación de la versión actual",
    },
    "approval_stale": {
        "fr": "Le brouillon a changé depuis : relisez-le avant de l'approuver",
        "en": "The draft has changed since: look at it again before you approve it",
        "es": "El borrador ha cambiado desde entonces: revíselo antes de aprobarlo",
    },
    "migration_not_found": {
        "fr": "Migration non trouvée",
        "en": "Migration not found",
        "es": "Migración no encontrada",
    },
    "migration_run_not_found": {
        "fr": "Exécution de la migration non trouvée",
        "en": "Migration run not found",
        "es": "Ejecución de la migración no encontrada",
    },
    "migration_open": {
        "fr": "Une migration de cette table n'est pas terminée : reprenez-la ou annulez-la d'abord",
        "en": "A migration of this table is not finished: resume it or roll it back first",
        "es": "Una migración de esta tabla no ha terminado: reanúdela o reviértala primero",
    },
    "migration_refused": {
        "fr": "La migration ne peut pas commencer : corrigez ce que le plan indique",
        "en": "The migration cannot start: put right what its plan names",
        "es": "La migración no puede empezar: corrija lo que indica el plan",
    },
    "migration_breached": {
        "fr": "La surveillance a arrêté la migration : l'ancienne forme est de nouveau lue",
        "en": "The watch stopped the migration: the old shape is read again",
        "es": "La vigilancia detuvo la migración: se vuelve a leer la forma antigua",
    },
    "migration_invalid": {
        "fr": "La vérification a trouvé des lignes en défaut : rien n'a été basculé",
        "en": "The validation found rows at fault: nothing was switched",
        "es": "La validación encontró filas con errores: no se ha cambiado nada",
    },
    "migration_incomplete": {
        "fr": "Les deux formes ne concordent pas encore : rien n'a été basculé",
        "en": "The two shapes do not agree yet: nothing was switched",
        "es": "Las dos formas aún no coinciden: no se ha cambiado nada",
    },
    "migration_not_soaked": {
        "fr": "La période d'observation n'est pas terminée : réessayez plus tard",
        "en": "The soak is not over yet: try again later",
        "es": "El período de observación no ha terminado: inténtelo más tarde",
    },
    "migration_contracted": {
        "fr": "L'ancienne forme a été abandonnée : il n'y a plus de retour en arrière",
        "en": "The old shape was given up: there is no way back any more",
        "es": "Se abandonó la forma antigua: ya no hay vuelta atrás",
    },
    "migration_ended": {
        "fr": "Cette migration est terminée : faites un nouveau plan",
        "en": "This migration has ended: make a new plan",
        "es": "Esta migración ha terminado: haga un nuevo plan",
    },
    "plan_changed": {
        "fr": "Le plan a changé depuis son approbation : relisez-le avant de l'approuver",
        "en": "The plan has changed since it was approved: look at it again before you approve it",
        "es": "El plan ha cambiado desde su aprobación: revíselo antes de aprobarlo",
    },
    "picture_missing": {
        "fr": "L'image de l'élément {asset_id} manque : la boucle ne peut pas être faite",
        "en": "The picture of asset {asset_id} is missing: its loop cannot be made",
        "es": "Falta la imagen del elemento {asset_id}: no se puede hacer su bucle",
    },
    "unknown_variable": {
        "fr": "Variable inconnue {variable} : les variables possibles sont {known}",
        "en": "Unknown variable {variable}: the possible ones are {known}",
        "es": "Variable desconocida {variable}: las posibles son {known}",
    },
    "loose_brace": {
        "fr": "Accolade isolée dans « {around} » : fermez-la, ou doublez-la pour l'écrire telle quelle",
        "en": "A brace has no other half in “{around}”: close it, or double it to have it written as it is",
        "es": "Llave suelta en «{around}»: ciérrela, o duplíquela para escribirla tal cual",
    },
    "budget_exceeded": {
        "fr": "Tu as dépassé ton quota pour ce mois ({unit}). Réduis le nombre ou upgrade ton plan.",
        "en": "This month's quota is used up ({unit}). Order less or upgrade your plan.",
        "es": "Has superado tu cuota de este mes ({unit}). Pide menos o mejora tu plan.",
    },
    "duration_not_allowed": {
        "fr": "Durée non autorisée par ton plan (max {limit} s)",
        "en": "Duration not allowed for your plan ({limit} s at most)",
        "es": "Duración no permitida por tu plan (máximo {limit} s)",
    },
    "text_does_not_fit": {
        "fr": "Le texte est trop long pour la diapositive ({field}) : raccourcissez-le",
        "en": "The text is too long for the slide ({field}): shorten it",
        "es": "El texto es demasiado largo para la diapositiva ({field}): acórtelo",
    },
    "provider_paused": {
        "fr": "Le fournisseur est momentanément indisponible ; la demande attend son retour.",
        "en": "The provider is out of service for now; the order waits for it.",
        "es": "El proveedor no está disponible por ahora; la solicitud lo espera.",
    },
    "configuration": {
        "fr": "Le service est mal configuré. Contactez le support.",
        "en": "The service is not set up correctly. Contact support.",
        "es": "El servicio está mal configurado. Contacte con soporte.",
    },
    "stack": {
        "fr": "Le service ne répond pas. Réessayez dans quelques minutes.",
        "en": "The service does not answer. Try again in a few minutes.",
        "es": "El servicio no responde. Inténtelo en unos minutos.",
    },
    "lease": {
        "fr": "Un autre processus s'occupe déjà de cette demande.",
        "en": "Another process already works on this order.",
        "es": "Otro proceso ya trabaja en esta solicitud.",
    },
    "control_character": {
        "fr": "Le texte contient un caractère de contrôle interdit ({character}) : retirez-le",
        "en": "The text holds a control character ({character}): remove it",
        "es": "El texto contiene un carácter de control ({character}): quítelo",
    },
    "idempotency_key": {
        "fr": "Cette clé d'idempotence a déjà servi pour une autre demande : choisissez-en une autre",
        "en": "This idempotency key was used for another request: choose a new one",
        "es": "Esta clave de idempotencia ya se usó para otra solicitud: elija otra",
    },
    "storage": {
        "fr": "Le fichier n'a pas pu être enregistré. Contactez le support.",
        "en": "The file could not be stored. Contact support.",
        "es": "No se pudo guardar el archivo. Contacte con soporte.",
    },
    "storage_full": {
        "fr": "Le disque est plein. Libérez de l'espace puis relancez.",
        "en": "The disk is full. Free some space, then retry.",
        "es": "El disco está lleno. Libere espacio y reintente.",
    },
    "backup_unusable": {
        "fr": "La sauvegarde n'est pas utilisable : {reason}",
        "en": "The backup cannot be used: {reason}",
        "es": "La copia de seguridad no se puede usar: {reason}",
    },
    "rehearsal_failed": {
        "fr": "La répétition a échoué, rien n'a été changé : {reason}",
        "en": "The rehearsal failed, nothing was changed: {reason}",
        "es": "El ensayo falló, no se cambió nada: {reason}",
    },
    "upgrade_failed": {
        "fr": "La mise à jour de la base a échoué : {reason}",
        "en": "The upgrade of the database failed: {reason}",
        "es": "La actualización de la base de datos falló: {reason}",
    },
    "bad_clip": {
        "fr": "Le clip reçu est inutilisable ({reason}).",
        "en": "The clip that arrived cannot be used ({reason}).",
        "es": "El clip recibido no se puede usar ({reason}).",
    },
    "assembly_failed": {
        "fr": "Erreur lors de l'assemblage de la vidéo. Contactez le support.",
        "en": "The video could not be assembled. Contact support.",
        "es": "Error al montar el vídeo. Contacte con soporte.",
    },
    "usage_guidelines": {
        "fr": "Le contenu demandé ne respecte pas les règles de sécurité de Google. Essayez un thème différent.",
        "en": "The requested content is against Google's safety rules. Try another theme.",
        "es": "El contenido solicitado no respeta las reglas de seguridad de Google. Pruebe otro tema.",
    },
    "third_party_content": {
        "fr": "Impossible de générer du contenu protégé par copyright. Évitez les personnages/marques connus.",
        "en": "Content under copyright cannot be generated. Avoid known characters and brands.",
        "es": "No se puede generar contenido protegido por derechos de autor. Evite personajes y marcas conocidos.",
    },
    "filtered": {
        "fr": "Le contenu demandé a été refusé par une règle de sécurité. Essayez un thème différent.",
        "en": "The requested content was refused by a safety rule. Try another theme.",
        "es": "Una regla de seguridad rechazó el contenido solicitado. Pruebe otro tema.",
    },
    "quota_exceeded": {
        "fr": "Quota API dépassé. Réessayez dans quelques minutes.",
        "en": "The API quota is used up. Try again in a few minutes.",
        "es": "Cuota de la API superada. Inténtelo en unos minutos.",
    },
    "operation_timeout": {
        "fr": "La génération a pris trop de temps. Réessayez avec une durée plus courte.",
        "en": "The generation took too long. Try again with a shorter duration.",
        "es": "La generación tardó demasiado. Inténtelo con una duración más corta.",
    },
    "provider_unavailable": {
        "fr": "Le fournisseur ne répond pas. Réessayez dans quelques minutes.",
        "en": "The provider does not answer. Try again in a few minutes.",
        "es": "El proveedor no responde. Inténtelo en unos minutos.",
    },
    "provider_rejected": {
        "fr": "Le fournisseur a rejeté la demande.",
        "en": "The provider rejected the request.",
        "es": "El proveedor rechazó la solicitud.",
    },
    "outcome_unknown": {
        "fr": "La réponse du fournisseur s'est perdue ; rien n'est renvoyé sans votre accord.",
        "en": "The provider's answer was lost; nothing is sent again without your consent.",
        "es": "Se perdió la respuesta del proveedor; nada se reenvía sin su acuerdo.",
    },
    "cancelled": {
        "fr": "La génération a été annulée.",
        "en": "The generation was cancelled.",
        "es": "La generación fue cancelada.",
    },
    "interrupted": {
        "fr": "L'opération a été interrompue et annulée. Relancez-la.",
        "en": "The operation broke off and was undone. Start it again.",
        "es": "La operación se interrumpió y se deshizo. Vuelva a iniciarla.",
    },
    "attempts_exhausted": {
        "fr": "La tâche s'est interrompue trop souvent. Relancez-la ou contactez le support.",
        "en": "The job broke off too often. Retry it or contact support.",
        "es": "La tarea se interrumpió demasiadas veces. Reinténtela o contacte con soporte.",
    },
}
