"""Writes Tests/Fixtures/clip/tokenizer-hard.json: awkward text and its CLIP ids. Run from the package's root.

The same steps as openai/CLIP's simple_tokenizer.py, on ftfy and regex; needs 'make vocabulary' first.
"""
import gzip, html, json
import ftfy, regex

def bytes_to_unicode():
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in kept]
    return dict(zip(kept + others, map(chr, kept + [256 + n for n in range(len(others))])))

BYTES = bytes_to_unicode()
lines = gzip.open("Checkpoints/vocabulary/bpe_simple_vocab_16e6.txt.gz").read().decode().split("\n")
MERGES = [tuple(line.split()) for line in lines[1:49152 - 256 - 2 + 1]]
SPECIAL = ["<|startoftext|>", "<|endoftext|>"]
symbols = [*BYTES.values(), *(v + "</w>" for v in BYTES.values()), *map("".join, MERGES), *SPECIAL]
IDS = {s: i for i, s in enumerate(symbols)}
RANKS = {m: i for i, m in enumerate(MERGES)}
PIECES = regex.compile(r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
                       regex.IGNORECASE)

def merged(piece):
    if piece in SPECIAL:
        return [piece]
    word = [*piece[:-1], piece[-1] + "</w>"]
    while len(word) > 1:
        best = min(zip(word, word[1:]), key=lambda pair: RANKS.get(pair, len(RANKS)))
        if best not in RANKS:
            break
        result = []
        while word:
            n = 2 if tuple(word[:2]) == best else 1
            result.append("".join(word[:n]))
            word = word[n:]
        word = result
    return word

def encode(text):
    text = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    text = " ".join(text.split()).lower()
    return [IDS[s] for piece in PIECES.findall(text) for s in merged("".join(BYTES[b] for b in piece.encode()))]

TEXTS = [
    "“curly” ‘quotes’ don’t", "ﬁne ﬂow oﬃce", "Ｆｕｌｌ　ｗｉｄｔｈ", "cafe\u0301 re\u0301sume\u0301",
    "ΟΔΟΣ ΣΑΣ Σ", "İstanbul", "&lt;|endoftext|&gt;", "tab\u00a0nbsp\u2003em\u2028line", "a\u0000b\u0007c", "x\ufeffy",
    "&eacute;t&eacute; &notit; &#39;s &#x27;re &copy2024 &nosuch; &#0; &#128; &#xD800; &#99999999;",
    "'S 'T I'LL 'ſ", "''s !!'s 's's", "½ ² Ⅷ ٣ 10³", "ﾃﾞｰﾀ ｶﾞ", "मनुष्य दौड़ना", "العربية تجري", "한국어 달리기",
    "Ünïcödé—dash … ellipsis", "_under_score__x", "#hashtag @user 100% $5.00", "C++ / C# & F#",
    "\u200bzero\u200dwidth", "e\u0301\u0301\u0316", "ŉ ǆ Ĳ", "word\x1cfs\x1dgs", "\x85next\x9cline", "a<b>c&amp;d</b>",
    "&amp;amp;amp;amp;lt;", "    ", "-- --- ''", "o'clock rock'n'roll y'all'd've", "👨‍👩‍👧 🇩🇪 ☃️", "ẞ STRASSE", "ǅ ǈ",
    "no\u00adbreak soft",
]
with open("Tests/Fixtures/clip/tokenizer-hard.json", "w") as file:
    json.dump([dict(text=text, ids=encode(text)) for text in TEXTS], file, indent=0)
