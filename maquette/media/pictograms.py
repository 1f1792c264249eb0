"""Pictograms for emoji that no emoji font draws, from the packaged Material Design Icons (Apache-2.0)."""

import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Final

import fonticon_mdi7

FONT: Final = Path(fonticon_mdi7.__file__).parent / "fonts" / "materialdesignicons-webfont.ttf"

# Emoji whose icon has another name than the character has in Unicode; the others are found by that name.
_NAMES: Final = {
    "emoticon_happy": "😀😃😄😁☺😊🙂🤗", "emoticon_lol": "😂🤣😆", "emoticon_wink": "😉😜",
    "emoticon_tongue": "😛😝😋", "emoticon_kiss": "😘😗😙😚", "emoticon_cool": "😎", "emoticon_cry": "😢😭🥲",
    "emoticon_sad": "😞😔🙁☹😟😥", "emoticon_angry": "😠😡🤬", "emoticon_neutral": "😐😑🤔😶",
    "emoticon_excited": "🤩🥳😍🥰😮😲🤯", "emoticon_dead": "😵", "emoticon_sick": "🤢🤒🤮",
    "emoticon_devil": "😈👿", "heart": "❤🧡💛💚💙💜🖤🤍🤎💗💖💕💞💓💘💝♥", "heart_broken": "💔", "thumb_up": "👍",
    "thumb_down": "👎", "hand_clap": "👏🙌", "hands_pray": "🙏", "hand_wave": "👋🖐✋", "arm_flex": "💪",
    "hand_okay": "👌", "hand_peace": "✌", "hand_pointing_right": "👉", "hand_pointing_left": "👈",
    "hand_pointing_up": "👆☝", "hand_pointing_down": "👇", "creation": "✨", "star": "⭐🌟", "lightbulb_on": "💡",
    "earth": "🌍🌎🌏🌐", "bee": "🐝", "weather_sunny": "☀🌞", "weather_night": "🌙", "weather_lightning": "🌩",
    "lightning_bolt": "⚡", "weather_rainy": "🌧", "looks": "🌈", "water": "💧💦", "waves": "🌊", "tree": "🌳",
    "pine_tree": "🌲🎄", "leaf": "🍃🌿🌱🍀☘", "flower": "🌸🌼🌷🌹🌺💐", "flower_tulip": "🌻", "food_apple": "🍎🍏",
    "fruit_grapes": "🍇", "fruit_cherries": "🍒", "carrot": "🥕", "pizza": "🍕", "coffee": "☕", "beer": "🍺🍻",
    "glass_wine": "🍷🍸🥂", "cake_variant": "🎂🍰", "bread_slice": "🍞", "cat": "🐱🐈", "dog": "🐶🐩", "paw": "🐾",
    "rabbit": "🐰", "horse": "🐴", "lion": "🦁", "penguin": "🐧", "bird": "🐤", "snail": "🐌", "spider": "🕷",
    "check_bold": "✔✅☑", "close_thick": "❌✖❎", "alert": "⚠", "exclamation_thick": "❗❕‼", "help": "❓❔",
    "clock_outline": "⏰🕐🕒⌚", "timer_sand": "⏳⌛", "calendar": "📆🗓", "cellphone": "📱", "laptop": "💻",
    "camera": "📷📸", "movie_open": "🎬", "video": "🎥📹", "music_note": "🎵", "music": "🎶🎼", "headphones": "🎧",
    "gamepad_variant": "🎮", "palette": "🎨", "drama_masks": "🎭", "book_open_variant": "📖📚", "pencil": "✏📝",
    "chart_line": "📈📊", "cash": "💵💸💰", "gift": "🎁", "target": "🎯", "medal": "🥇🏅", "soccer": "⚽",
    "basketball": "🏀", "tennis": "🎾", "run": "🏃", "bike": "🚴", "walk": "🚶", "swim": "🏊", "car": "🚗🚙",
    "train": "🚂", "airplane": "🛫", "home": "🏠🏡", "city": "🏙🌆", "castle": "🏰", "image_filter_hdr": "⛰🏔🗻",
    "beach": "🏖🏝", "map": "🗺", "map_marker": "📍📌", "compass": "🧭", "shield": "🛡", "skull": "☠", "ghost": "👻",
    "robot": "🤖", "alien": "👽", "eye": "👀", "brain": "🧠", "baby_face": "👶", "human_male": "👨",
    "human_female": "👩", "crown": "👑", "diamond_stone": "💎", "snowman": "⛄", "arrow_right_bold": "➡",
    "arrow_left_bold": "⬅", "arrow_up_bold": "⬆", "arrow_down_bold": "⬇", "recycle": "♻", "infinity": "♾",
    "atom": "⚛", "magnify": "🔍🔎", "link": "🔗", "cog": "⚙", "wrench": "🔧", "volume_high": "🔊",
    "bullhorn": "📢📣", "email": "📧✉", "message": "💬", "sleep": "💤😴", "mushroom": "🍄", "bomb": "💣",
    "dice_5": "🎲", "puzzle": "🧩", "owl": "🦉", "turtle": "🐢",
}  # fmt: skip


@lru_cache
def _icons() -> dict[str, str]:
    return {char: name for name, chars in _NAMES.items() for char in chars}


def pictogram(emoji: str) -> str | None:
    """The private-use character that draws ``emoji`` in ``FONT``, or ``None``; a skin tone or style is left out.

    Joined emoji and flags have none: their parts would tell something else.
    """
    bare = "".join(c for c in emoji if not 0xFE00 <= ord(c) <= 0xFE0F and not 0x1F3FB <= ord(c) <= 0x1F3FF)
    if len(bare) != 1 or ord(bare) < 0x2190:
        return None
    name = _icons().get(bare) or unicodedata.name(bare, "").lower().replace(" ", "_").replace("-", "_")
    icon = getattr(fonticon_mdi7.MDI7, name, None) if name and not name.startswith("_") else None
    return icon[-1] if isinstance(icon, str) else None  # the value is prefixed with the set's name
