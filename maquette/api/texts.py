"""Texts that only the HTTP face says, and the choice of their language."""

import re
from typing import Final

from maquette.error_texts import LANGUAGES, TEXTS

_TEXTS: Final[dict[str, dict[str, str]]] = {
    "accepted": {
        "fr": "Commande acceptée : la vidéo est en file d'attente",
        "en": "Order accepted: the video is waiting in line",
        "es": "Pedido aceptado: el vídeo está en cola",
    },
    "method_not_allowed": {
        "fr": "Cette méthode n'est pas possible à cette adresse",
        "en": "This method is not possible at this address",
        "es": "Este método no es posible en esta dirección",
    },
    "range_not_satisfiable": {
        "fr": "La plage demandée est hors du fichier ({size} octets)",
        "en": "The requested range is outside the file ({size} bytes)",
        "es": "El rango solicitado está fuera del archivo ({size} bytes)",
    },
    "unreadable": {
        "fr": "Le corps de la requête est illisible : envoyez du JSON en UTF-8",
        "en": "The request's body cannot be read: send JSON in UTF-8",
        "es": "El cuerpo de la solicitud no se puede leer: envíe JSON en UTF-8",
    },
    "not_json": {
        "fr": "Le corps de la requête n'est pas du JSON valide (caractère {position})",
        "en": "The request's body is not valid JSON (character {position})",
        "es": "El cuerpo de la solicitud no es JSON válido (carácter {position})",
    },
    "not_object": {
        "fr": "Le corps de la requête doit être un objet JSON, avec l'en-tête Content-Type: application/json",
        "en": "The request's body must be a JSON object, with the header Content-Type: application/json",
        "es": "El cuerpo de la solicitud debe ser un objeto JSON, con la cabecera Content-Type: application/json",
    },
    "field": {"fr": "{field} : {reason}", "en": "{field}: {reason}", "es": "{field}: {reason}"},
    "missing": {"fr": "champ obligatoire", "en": "this field is required", "es": "campo obligatorio"},
    "unknown_field": {"fr": "champ inconnu", "en": "unknown field", "es": "campo desconocido"},
    "text": {"fr": "un texte est attendu", "en": "a text is expected", "es": "se espera un texto"},
    "whole": {
        "fr": "un nombre entier est attendu",
        "en": "a whole number is expected",
        "es": "se espera un número entero",
    },
    "number": {"fr": "un nombre est attendu", "en": "a number is expected", "es": "se espera un número"},
    "truth": {"fr": "true ou false est attendu", "en": "true or false is expected", "es": "se espera true o false"},
    "uuid": {"fr": "un UUID est attendu", "en": "a UUID is expected", "es": "se espera un UUID"},
    "choice": {"fr": "choisissez parmi {choices}", "en": "choose one of {choices}", "es": "elija entre {choices}"},
    "between": {"fr": "de {low} à {high}", "en": "from {low} to {high}", "es": "de {low} a {high}"},
    "at_least": {"fr": "au moins {low}", "en": "{low} at least", "es": "mínimo {low}"},
    "at_most": {"fr": "au plus {high}", "en": "{high} at most", "es": "máximo {high}"},
    "characters": {"fr": "{limits} caractères", "en": "{limits} characters", "es": "{limits} caracteres"},
    "media_type": {
        "fr": "Ce type de contenu n'est pas accepté : envoyez {accepted}",
        "en": "This content type is not accepted: send {accepted}",
        "es": "Este tipo de contenido no se acepta: envíe {accepted}",
    },
    "message_missing": {
        "fr": "Le message manque : envoyez-le dans user_message",
        "en": "The message is missing: send it as user_message",
        "es": "Falta el mensaje: envíelo en user_message",
    },
    "pack_brands": {
        "fr": "Les visuels du pack sont de plusieurs marques : envoyez un pack par marque, ou brandId à côté du pack",
        "en": "The pack's assets are of several brands: send a pack for each, or brandId beside the pack",
        "es": "Los elementos del pack son de varias marcas: envíe un pack por marca, o brandId junto al pack",
    },
    "brand_id": {
        "fr": "brandId doit être l'UUID d'une marque",
        "en": "brandId must be the UUID of a brand",
        "es": "brandId debe ser el UUID de una marca",
    },
    "invalid": {"fr": "valeur non valide", "en": "not a valid value", "es": "valor no válido"},
}


def say(key: str, language: str, **values: object) -> str:
    """The text of ``key`` in fr, en or es: this face's own, else the application's."""
    return (_TEXTS.get(key) or TEXTS[key])[language].format(**values)


def language_of(accept_language: str | None) -> str:
    """The language that an ``Accept-Language`` header likes best of fr, en and es; French where it likes none.

    ``es-MX,en;q=0.8`` → es. Of equals the first; a weight that cannot be read counts as 0.
    """
    best, best_weight = "fr", 0.0
    for entry in (accept_language or "").split(","):
        tag, _, parameters = entry.partition(";")
        language = tag.strip().lower().split("-")[0]
        weight = weight_of(parameters)
        if language in LANGUAGES and weight > best_weight:
            best, best_weight = language, weight
    return best


def weight_of(parameters: str) -> float:
    """The ``q`` among the parameters of one entry of an ``Accept`` header (RFC 9110, 12.4.2): 0 to 1."""
    for parameter in parameters.split(";"):
        name, equals, value = parameter.partition("=")
        if equals and name.strip().lower() == "q":
            value = value.strip()
            return float(value) if re.fullmatch(r"0(\.\d{0,3})?|1(\.0{0,3})?", value, re.ASCII) else 0.0
    return 1.0
