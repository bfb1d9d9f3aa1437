"""Texts as CLIP's tokenizer cleans them before it cuts them into tokens, by ftfy 6.3.1 and openai/CLIP's own rules.

    python make_cleaning.py > ../clip/cleaning.json

Names in many languages, garbled by reading their UTF-8 in the encodings that people meet, once and twice, with parts
of them left whole; what looks garbled and is not; terminal escapes; widths; references.
"""
import html
import json
import random

import ftfy

NAMES = [
    "café", "crème brûlée", "naïve", "jalapeño", "piñata", "über", "Schäfchen zählen", "smørrebrød", "Łódź", "żółć",
    "dvořák spielen", "çay içmek", "ağaç kesmek", "șarpe", "tŷ bach", "ångström", "façade", "à la carte", "voilà le travail",
    "às vezes", "fácil", "pão de queijo", "¿qué tal?", "¡olé!", "señor", "garçon", "Élan vital", "Über alles", "ŒUVRE",
    "привет мир", "танцы", "борьба самбо", "Здравствуйте", "χορός", "Καλημέρα κόσμε", "Γειά", "שלום", "رقص", "कूदना", "กระโดด",
    "跳舞", "打太极拳", "剣道", "相撲を取る", "춤추기", "emoji 😀 smile", "heart ❤ wave", "don’t stop", "“quoted”", "a—b", "a–b",
    "wait…", "10 € note", "5 £", "£5 and ½ cup", "90° turn", "x² + y²", "© 2020", "trade™", "naïve café", "n° 5", "rock ’n’ roll",
    "playing tug of war", "cutting pineapple", "skiing (not slalom or crosscountry)", "doing aerobics", "tai chi",
    "Pushing [something] so that it slightly moves", "putting something, something and something on the table",
]
ENCODINGS = ["latin-1", "cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp1257", "iso-8859-2", "mac_roman", "cp437"]
PLAIN = [
    "\x1b[31mred\x1b[0m name", "\x1b[1;32mgreen", "\x1b[mbare", "\x1b[31", "\x1b]0;title\x07x", "a\x1bb", "\x1b[38;5;12mx\x1b[K",
    "ＬＯＵＤ　ＮＯＩＳＥＳ", "Ｕﾀｰﾝ", "ﾎﾟﾛ", "ﾡﾢ", "￠￡￦", "￣x", "ﬂuﬃeﬆ", "Ĳssel", "&EACUTE;cole", "P&EACUTE;REZ", "&Eacute;cole",
    "&nTILDE;", "BUNDESSTRA&SZLIG;E", "this&not that", "&amp;amp;", "&lt;b&gt;", "a < b &amp; c", "&#233;t&#xE9;", "caf&eacute;", "&HELLIP;",
    "Â ", "Ã la mode", "Â°C", "voilÃ", "fÃ cil", "Ã\xa0 la", "ÃƒÂ©", "Ã©tÃ© cafÃ©", "cafÃ© and café", "schÃ¶n – schön", "â€œquoteâ€\x9d",
    "â€œ like this â€�", "The Mona Lisa doesnÃƒÂ¢Ã¢â€šÂ¬Ã¢â€žÂ¢t", "lâ€™humanitÃ©", "Ã\x81rbol", "\x85", "a\x91b\x92", "Å“uvre",
    "AHÅ™, the new sofa from IKEA®", "ESSE CARA AI QUEM É¿", "HUHLL Õ…", "10μs", "(-1/2)! = √π", "OK??:( `¬´    ):", "Îµá½ÎºÎ±", "├┤a┼",
    "\xa0", "\xad", "a\u2028b", "a\u0085b", "a\r\nb", "\ufeffname", "zero\u200bwidth", "ǅ", "ΑΣ", "İstanbul", "ẞ", "e\u0301", "Å",
    "Gå på ski", "Öl trinken", "Über’n See", "ÜBER", "Ärger", "ÑANDÚ", "«guillemets»", "„Zitat“", "‹x›", "5 º", "1ª vez", "a¬b",
    "×²", "²", "ª", "½", "¼ pipe", "®", "Ĺšw", "Ä…Ĺ‚", "РїСЂРёРІРµС‚", "Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "ÎšÎ±Î»Î·Î¼Î­ÏÎ±", "æ\x97¥æ\x9c¬", "æ—¥æœ¬", "ðŸ˜€", "ð\x9f\x98\x80",
    "í\xa0½í¸\x80", "À\x80", "Ãƒ", "├⌐", "caf├⌐", "caf√©", "na√Øve", "caf? Ã?", "ÃÂ©", "Â©", "Â£5", "â„¢", "â‚¬", "Ã—", "Ã—Ã—",
]


def cleaned(text):
    text = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    return " ".join(text.split()).strip().lower()


def garbled(text, encoding):
    raw = text.encode("utf-8")
    # As programs do that fill the holes of an encoding with Latin-1.
    return "".join(bytes([b]).decode(encoding) if can(b, encoding) else chr(b) for b in raw)


def can(byte, encoding):
    try:
        bytes([byte]).decode(encoding)
        return True
    except UnicodeDecodeError:
        return False


draw = random.Random(5)
texts = list(NAMES) + list(PLAIN)
for name in NAMES:
    if name.isascii():
        continue
    for encoding in ENCODINGS:
        once = garbled(name, encoding)
        texts += [once, once.replace("\xa0", " "), garbled(once, draw.choice(ENCODINGS[:2])), "playing " + once + " today"]
    mixed = garbled(name, "cp1252")
    texts += [name + " / " + mixed, mixed + " / " + name, mixed.upper(), mixed[1:], mixed[:-1], raw[:-1] if (raw := mixed) else ""]
    texts.append(name.encode("utf-8").decode("cp1252", errors="replace"))
    texts.append("".join(draw.choice([c, garbled(c, "latin-1")]) for c in name))
letters = [chr(c) for c in list(range(0x80, 0x180)) + list(range(0x391, 0x3CA)) + list(range(0x410, 0x450))] + list("ab \u2019\u20ac\u2122\u0153\u017e")
for _ in range(400):
    texts.append("".join(draw.choice(letters) for _ in range(draw.randint(1, 6))))
seen = dict.fromkeys(texts)
print(json.dumps([{"text": t, "cleaned": cleaned(t)} for t in seen], ensure_ascii=True, indent=0))
