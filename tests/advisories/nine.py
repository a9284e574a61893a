"""One sample notice in the nine languages, for the tests of every screen."""

from __future__ import annotations

from advisories.notice import Text

_WORDS = {
    "en": (
        "Please install update",
        "Accept the update when your device offers it.",
        "A weakness could let strangers in your home network change settings.",
        "Thermostat before version 1.4.2.",
        "The update closes the weakness.",
        "support@example.com, +49 30 23125 000",
    ),
    "de": (
        "Bitte aktualisieren",
        "Nehmen Sie das Update an, wenn Ihr Gerät es anbietet.",
        "Fremde in Ihrem Heimnetz könnten Einstellungen ändern.",
        "Thermostat vor Version 1.4.2.",
        "Das Update schließt die Schwachstelle.",
        "support@example.com, +49 30 23125 000",
    ),
    "fr": (
        "Mise à jour requise",
        "Acceptez la mise à jour quand votre appareil la propose.",
        "Une faille permet à un inconnu sur votre réseau de changer les réglages.",
        "Thermostat avant la version 1.4.2.",
        "La mise à jour supprime la faille.",
        "support@example.com, +49 30 23125 000",
    ),
    "es": (
        "Instale la versión",
        "Acepte la actualización cuando su dispositivo la ofrezca.",
        "Un fallo permite a extraños en su red cambiar los ajustes.",
        "Termostato anterior a la versión 1.4.2.",
        "La actualización corrige el fallo.",
        "support@example.com, +49 30 23125 000",
    ),
    "it": (
        "Aggiorni ora",
        "Accetti l’aggiornamento quando il dispositivo lo propone.",
        "Una debolezza permette a estranei in rete di cambiare le impostazioni.",
        "Termostato prima della versione 1.4.2.",
        "L’aggiornamento chiude la debolezza.",
        "support@example.com, +49 30 23125 000",
    ),
    "pl": (
        "Proszę zaktualizować",
        "Proszę przyjąć aktualizację, gdy urządzenie ją zaproponuje.",
        "Obcy w Twojej sieci mogą zmienić ustawienia urządzenia.",
        "Termostat przed wersją 1.4.2.",
        "Aktualizacja usuwa tę słabość.",
        "support@example.com, +49 30 23125 000",
    ),
    "ja": (
        "更新のお願い",
        "案内が出たら、更新してください。",
        "家庭の通信網から設定を変えられる弱点があります。",
        "サーモスタットはバージョン1.4.2より前の製品が対象です。",
        "今回の更新でこの弱点はなくなります。",
        "support@example.com、+49 30 23125 000",
    ),
    "zh": (
        "请更新您的设备",
        "设备提示更新时，请选择接受。",
        "家庭网络中的陌生人可能更改设置。",
        "1.4.2 之前版本的温控器。",
        "本次更新将修复这一弱点。",
        "support@example.com，+49 30 23125 000",
    ),
    "ar": (
        "يرجى التحديث",
        "اقبل التحديث.",
        "ضعف يسمح للغرباء في شبكتك بتغيير الإعدادات.",
        "منظم الحرارة قبل الإصدار 1.4.2.",
        "يزيل التحديث هذا الضعف. نأسف للإزعاج، ونختبر كل إصدار جديد من الآن فصاعدًا (ابتداءً من 1.4.2).",
        "support@example.com، هاتف +49 30 23125 000",
    ),
}
NINE: dict[str, Text] = {
    tag: Text(
        language=tag,
        title=told[0],
        action=told[1],
        happened=told[2],
        affected=told[3],
        doing=told[4],
        contact=told[5],
    )
    for tag, told in _WORDS.items()
}
"""Language -> text."""
