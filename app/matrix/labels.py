"""What ads say about themselves, in their own language: data that a layout sets, not a sentence of the pages."""

MADE_WITH_AI = {
    "de": "Mit KI erstellt",
    "en": "Made with AI",
    "fr": "Créé avec l’IA",
    "es": "Creado con IA",
    "it": "Creato con l’IA",
    "nl": "Gemaakt met AI",
    "pt": "Criado com IA",
    "pl": "Stworzone z użyciem AI",
    "da": "Lavet med AI",
    "sv": "Skapad med AI",
    "cs": "Vytvořeno pomocí AI",
    "tr": "Yapay zekâ ile oluşturuldu",
    "ar": "أُنشئ بالذكاء الاصطناعي",
    "he": "נוצר באמצעות בינה מלאכותית",
}
"""By language. The others say it in English."""


def made_with_ai(locale: str) -> str:
    return MADE_WITH_AI.get(locale.split("-")[0], MADE_WITH_AI["en"])
