"""Which language a text is in."""

from __future__ import annotations

import re

_STOP_WORDS = {
    "en": "the is are how what do can my i you to of for and when where which why in it not "
    "we with on at be have has will your from by this that or after if a get there any who does "
    "did could would should please want need",
    "de": "der die das ist sind wie was ich sie zu und für wann wo kann mein meine nicht ein eine "
    "wir mit auf im bei den dem des haben wird werden nach nachdem oder auch wenn von es",
    "fr": "le la les est sont comment que je vous de et pour quand où puis mon ma ne pas un une "
    "nous avec sur dans du des au aux qui ce cette après si votre il y",
    "es": "el la los es son cómo qué puedo usted de y para cuándo dónde mi no un una del las por "
    "con en su se que después si nosotros está",
    "it": "il la gli è sono come che posso lei di e per quando dove mio mia non un una del quanto "
    "con nel si dopo se noi della delle i le",
    "pt": "o a os é são como que posso você de e para quando onde meu minha não um uma do da em "
    "com no na se depois nós por dos das",
    "nl": "de het een is zijn hoe wat ik u en voor wanneer waar kan mijn niet van te op met "
    "wij bij na als dat die naar uw worden wordt",
}
_STOP_SETS = {language: frozenset(words.split()) for language, words in _STOP_WORDS.items()}
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("zh", re.compile("[\u3400-\u9fff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
)
_SCRIPT_SHARE = 0.2  # of the letters


def language_of(text: str, lead: int = 2) -> str:
    """Return the language of a text as BCP 47, "" where it cannot be told.

    By script, and for Latin script by counting stop words; one language must lead the next by so
    many.
    """
    text = text[:4_000]
    letters = sum(map(str.isalpha, text))
    for language, script in _SCRIPTS:
        if len(script.findall(text)) > letters * _SCRIPT_SHARE:
            return language
    words = re.findall(r"[^\W\d_]+", text.casefold())
    counts = {name: sum(word in stop for word in words) for name, stop in _STOP_SETS.items()}
    best, second = sorted(counts, key=lambda name: -counts[name])[:2]
    return best if counts[best] - counts[second] >= lead else ""


def is_other_language(question: str, text: str) -> bool:
    """Tell whether a question is surely in another language than a text."""
    asked, told = language_of(question, lead=1), language_of(text)
    return bool(asked and told and asked != told)
