#!/usr/bin/env python3
"""Small tokenizers with the options of SigLIP's and SigLIP 2's, and what their libraries make of awkward strings.

    python3 Tests/Fixtures/scripts/make_siglip_tokenizers.py                 # the fixture, from the package's root
    python3 Tests/Fixtures/scripts/make_siglip_tokenizers.py OUT 25000       # more strings, and NFKC as in the real files

Needs sentencepiece, tokenizers and protobuf. SigLIP: unigram, nmt_nfkc, <pad> 0, </s> 1, <unk> 2 (T5's options; the fixture has few of
NFKC's rules, as all of them take 240 KB). SigLIP 2: Gemma's byte pairs with byte fallback and pieces of the user.
"""
import io
import json
import os
import random
import re
import string
import sys
import unicodedata

import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as messages
from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE, Unigram

FOLDER = sys.argv[1] if len(sys.argv) > 1 else "Tests/Fixtures/siglip-tokenizers"
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 250
IS_WHOLE = len(sys.argv) > 1
os.makedirs(FOLDER, exist_ok=True)
draw = random.Random(20)

WORDS = (
    "a an the of photo video person man woman dog horse playing running walking riding jumping with and on in ball archery brush hair "
    "catch cartwheel clap climb dive draw sword dribble drink eat fall floor fencing golf hit hug jump kick kiss laugh pick pour punch "
    "push ride bike shoot bow shake hands sit smile smoke somersault stand swing baseball exercise talk throw turn walk wave café naïve "
    "straße привет мир кошка собака 日本語 写真 犬 猫 人 走る 中文 图片 狗 사진 강아지 صورة كلب תמונה φωτογραφία σκύλος 1 2 10 2024 3.5 "
    "!!! ... , ? it's don't e-mail http www com"
).split()
SYLLABLES = "ba be bi ca ce co da de do fa fe la le li lo ma me mi na ne no ra re ri sa se so ta te ti ing er ed ion".split()
WORDS += ["".join(draw.choice(SYLLABLES) for _ in range(draw.randint(1, 4))) for _ in range(200)]
SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u3000", "\u200b", "\u2028", "\x1c", "\x85", "▁", "▁▁", " ▁ "]
LOOKALIKES = ["</s>", "<pad>", "<unk>", "<eos>", "<bos>", "<mask>", "<table>", "<start_of_turn>", "<s>", "</S>", "<EOS>", "＜ｕｎｋ＞", "< /s>",
              "<0x41>", "<|endoftext|>", "<extra_id_0>"]
EMOJI = ["😀", "👍🏽", "👩‍👩‍👧", "🇩🇪", "❤️", "🏊🏽‍♀️", "1️⃣", "☺"]
MARKS = ["\u0301", "\u0308", "\u0323", "\u20dd", "\u200d", "\ufe0f", "\u0e34", "\u093f", "\u094d", "\u1100", "\u1161", "\u11a8"]
FORMS = ["ﬁ", "ﬃ", "Å", "Å", "½", "①", "㎏", "ｱ", "ﾞ", "Ａ", "ª", "™", "…", "‘", "”", "ß", "ẞ", "İ", "ı", "Σ", "ΟΔΟΣ", "ὈΔΥΣΣΕΎΣ", "ǅ", "ﷺ", "㍿", "가",
         "각", "é", "é", "Ω", "K", "Ｋ", "．", "！"]


def sentence():
    return " ".join(draw.choice(WORDS) for _ in range(draw.randint(2, 14)))


CORPUS = [sentence() for _ in range(6000)]
CORPUS += [text.capitalize() for text in CORPUS[:1000]]


def trained(**options):
    writer = io.BytesIO()
    spm.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS), model_writer=writer, num_threads=1, minloglevel=2, **options)
    return writer.getvalue()


def rules():
    """A file with those of nmt_nfkc's rules that the strings meet most."""
    table = {"\t": " ", "\n": " ", "\r": " ", "\u00a0": " ", "\u2003": " ", "\u3000": " ", "\u200b": " ", "\u2028": " "}
    for text in FORMS + [base + mark for base in "aeiouAEIOUkg" for mark in MARKS] + ["\u1100\u1161", "\u1100\u1161\u11a8"]:
        if len(text) <= 3 and unicodedata.normalize("NFKC", text) != text:
            table[text] = unicodedata.normalize("NFKC", text)
    path = os.path.join(FOLDER, "rules.tsv")
    with open(path, "w") as file:
        for source, target in sorted(table.items()):
            file.write(" ".join(f"{ord(c):X}" for c in source) + "\t" + " ".join(f"{ord(c):X}" for c in target) + "\n")
    return path


normalization = {"normalization_rule_name": "nmt_nfkc"} if IS_WHOLE else {"normalization_rule_tsv": rules()}
first = trained(
    model_type="unigram", vocab_size=450, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, pad_piece="<pad>", character_coverage=0.999, **normalization)
second = trained(
    model_type="bpe", vocab_size=700, normalization_rule_name="identity", add_dummy_prefix=False, remove_extra_whitespaces=False,
    byte_fallback=True, split_digits=True, allow_whitespace_only_pieces=True, pad_id=0, eos_id=1, bos_id=2, unk_id=3, pad_piece="<pad>",
    eos_piece="<eos>", bos_piece="<bos>", user_defined_symbols=["<mask>", "\n", "\n\n", "▁▁", "▁▁▁", "<table>", "<start_of_turn>"])
if not IS_WHOLE:
    os.remove(os.path.join(FOLDER, "rules.tsv"))
for name, model in (("siglip.spiece.model", first), ("siglip2.spiece.model", second)):
    with open(os.path.join(FOLDER, name), "wb") as file:
        file.write(model)
first_message = messages.ModelProto.FromString(first)
second_message = messages.ModelProto.FromString(second)


def save(tokenizer, name):
    with open(os.path.join(FOLDER, name), "w") as file:
        json.dump(json.loads(tokenizer.to_str()), file, ensure_ascii=False, separators=(",", ":"))


def unigram(steps, name):
    tokenizer = Tokenizer(Unigram([(piece.piece, piece.score) for piece in first_message.pieces], unk_id=2, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.add_special_tokens(
        [AddedToken(token, normalized=False, special=True, lstrip=token != "<pad>", rstrip=token != "<pad>") for token in ("<pad>", "</s>", "<unk>")])
    save(tokenizer, name)
    return tokenizer


precompiled = [normalizers.Precompiled(first_message.normalizer_spec.precompiled_charsmap), normalizers.Replace(Regex(" {2,}"), " ")]
# As the converter of T5 leaves it (open_clip canonicalizes before), and with canonicalization of its own.
bare = unigram(precompiled, "siglip-bare.tokenizer.json")
whole = unigram(
    [normalizers.Lowercase(), normalizers.Replace(Regex("[" + re.escape(string.punctuation) + "]"), ""), normalizers.Replace(Regex(r"\s+"), " "),
     normalizers.Strip()] + precompiled, "siglip.tokenizer.json")

ids = {piece.piece: index for index, piece in enumerate(second_message.pieces)}
merges = []
for index, piece in enumerate(second_message.pieces):
    if piece.type == 1:
        text = piece.piece
        splits = [(text[:cut], text[cut:], piece.score) for cut in range(1, len(text)) if text[:cut] in ids and text[cut:] in ids]
        merges += sorted(splits, key=lambda split: (ids[split[0]], ids[split[1]]))
merges.sort(key=lambda split: -split[2])
gemma = Tokenizer(BPE(vocab=ids, merges=[(a, b) for a, b, _ in merges], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
gemma.normalizer = normalizers.Replace(" ", "▁")
gemma.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
gemma.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
gemma.add_special_tokens([AddedToken(piece.piece, normalized=False, special=True) for piece in second_message.pieces if piece.type in (2, 3)])
gemma.add_tokens([AddedToken(piece.piece, normalized=False, special=False) for piece in second_message.pieces if piece.type == 4])
save(gemma, "siglip2.tokenizer.json")
# As transformers' Siglip2Tokenizer does it.
gemma.normalizer = normalizers.Sequence([normalizers.Lowercase(), gemma.normalizer])


def character():
    while True:
        start, end = draw.choice(
            [(0x20, 0x7F), (0x80, 0x250), (0x250, 0x2000), (0x2000, 0x3400), (0x3400, 0xD800), (0xE000, 0x10000), (0x10000, 0x20000)])
        code = draw.randrange(start, end)
        if unicodedata.category(chr(code)) != "Cn":
            return chr(code)


def mixed(kinds, most):
    return "".join(draw.choice(draw.choice(kinds)) for _ in range(draw.randint(1, most)))


def text():
    kind = draw.randrange(12)
    if kind == 0: return sentence()
    if kind == 1: return "".join(character() for _ in range(draw.randint(1, 20)))
    if kind == 2: return mixed([WORDS, SPACES], 20)
    if kind == 3: return " ".join(draw.choice(WORDS + EMOJI) for _ in range(draw.randint(1, 10)))
    if kind == 4: return mixed([list("aeioukAEIOUK"), MARKS, [character()]], 16)
    if kind == 5: return mixed([list("0123456789.,- ")], 20)
    if kind == 6: return mixed([list(string.punctuation + " ab")], 20)
    if kind == 7: return mixed([WORDS, LOOKALIKES, [" ", ""]], 8)
    if kind == 8: return mixed([FORMS, WORDS, [" "]], 10)
    if kind == 9: return sentence().upper() if draw.random() < 0.5 else sentence().title()
    if kind == 10: return mixed([WORDS, SPACES, LOOKALIKES, EMOJI, MARKS, FORMS], 15)
    return draw.choice(["", " ", "\n", "▁", "a", "A", " a", "a ", "!", "."]) + draw.choice(["", draw.choice(WORDS), character()])


def canonical(text):
    text = text.lower().translate(str.maketrans("", "", string.punctuation))
    return re.sub(r"\s+", " ", text).strip()


pieces_of_first = spm.SentencePieceProcessor(model_proto=first)
pieces_of_second = spm.SentencePieceProcessor(model_proto=second)
cases = []
for item in [text() for _ in range(COUNT)] + ["", " " * 60, "a" * 300, "é" * 40]:
    case = {
        "text": item,
        "siglip.tokenizer.json": whole.encode(item, add_special_tokens=False).ids,
        "siglip2.tokenizer.json": gemma.encode(item, add_special_tokens=False).ids,
    }
    # What spells a special token is that token here, and plain text to SentencePiece.
    if not re.search("</s>|<pad>|<unk>", item):
        case["siglip-bare.tokenizer.json"] = bare.encode(canonical(item), add_special_tokens=False).ids
        case["siglip.spiece.model"] = pieces_of_first.encode(canonical(item))
    if not re.search("</s>|<pad>|<unk>|<eos>|<bos>", item, re.I):
        case["siglip2.spiece.model"] = pieces_of_second.encode("".join(c.lower() for c in item))
    cases.append(case)
with open(os.path.join(FOLDER, "cases.json"), "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]\n")
