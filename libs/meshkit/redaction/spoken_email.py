"""E-mail addresses as they are said or half written: "ada dot lovelace at example dot org". Pure.

The domain is found first, by the word for the sign, the word for the dot and a top-level domain. What
stands before the sign belongs to the address as long as it is joined by words for signs, spelled,
counted or close enough, and no word of the sentence around comes in between.
"""

from __future__ import annotations

import re

_AT = r"(?:at(?: sign| symbol)?|arroba|arobase|chiocciola|[\[(]\s?at\s?[\])])"
_DOT = r"(?:dot|punto|punkt|point|ponto|[\[(]\s?dot\s?[\])])"
_TOP = (
    r"(?:com|org|net|edu|gov|io|ai|app|dev|biz|info|me|tv|example|test|eu|uk|u k|ie|i e|de|d e|fr|"
    r"f r|es|it|nl|"
    r"n l|be|at|ch|pt|pl|se|dk|no|fi|cz|gr|ro|hu|us|ca|c a|mx|br|ar|cl|au|a u|nz|n z|in|pk|za|ng|"
    r"ke|gh|jp|cn|kr|"
    r"sg|hk|ru|ua|tr|il|ae|cat|coop|online|shop|tech|cloud|email)"
)
_PART = r"[^\W_][\w-]{0,40}"
_JOIN = r"(?: (?:dash|hyphen|minus|underscore) )"
_DOMAIN = re.compile(
    rf"(?<=[\w.,])\s{{0,2}}(?<!\w){_AT}\s(?!(?:the|a|my|all|this|dot|punto|point)\b)"
    rf"(?:{_PART}(?:{_JOIN}| {_DOT} |[ .])){{1,6}}?"
    r"(?:(?<= dot )|(?<= punto )|(?<= punkt )|(?<= point )|(?<= ponto )|(?<=[\])] )|(?<=\w\.))"
    rf"{_TOP}(?: {_DOT} {_TOP})?(?![\w-])",
    re.I,
)
_TOKEN = re.compile(r"[\w.+'’-]+|[^\w\s]")
_JOINER = re.compile(
    r"dot|punto|punkt|point|ponto|underscore|dash|hyphen|minus|plus|period|guion|guión|tiret"
)
_COUNT = re.compile(
    r"zero|oh|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|"
    r"fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|"
    r"eighty|ninety|double|triple|hundred|thousand"
)
_AROUND = re.compile(
    r"a|an|the|is|it's|its|it|was|my|his|her|their|our|your|to|on|by|via|use|using|try|at|for|"
    r"from|and|or|but|so|then|email|e-mail|mail|address|addresses|emails|uh|um|er|yes|yeah|yep|"
    r"no|okay|ok|well|that's|thats|that|this|i|me|you|we|they|he|she|send|write|reach|contact|"
    r"message|would|be|with|of|in|as|like|sorry|please|just|actually|also|either|account|login|"
    r"name|username|be|say|says|said|documents|them|him|up|down|out|there|here|are|will|can|"
    r"correo|es|mi|ist|meine|lautet|c'est|mon|adresse|under|not|old|new|work|home|look|looked|"
    r"looking|check|see|shop|shopped|bought|order|ordered|visit|go|went|log|logged|sign|signed|"
    r"page|site|website|online|found|available|works|worked|is|are"
)
_MOST_PLAIN = 3
"""Words of an address that nothing joins to the next: "big dave sixty nine"."""
_WINDOW = 160


def without_spoken_emails(text: str) -> str:
    """The text with each such address as `[email]`."""
    out: list[str] = []
    place = 0
    for found in _DOMAIN.finditer(text):
        before = text[max(place, found.start() - _WINDOW) : found.start()]
        begins = _beginning(before)
        if begins < len(before):
            out += text[place : found.start() - len(before) + begins], "[email]"
            place = found.end()
    return "".join((*out, text[place:]))


def _beginning(before: str) -> int:
    """Where in the text before the sign the address begins; its length if there is none."""
    tokens = list(_TOKEN.finditer(before))
    begins, plain, joined = len(before), 0, True
    for index in range(len(tokens) - 1, -1, -1):
        word = tokens[index][0].lower()
        if _JOINER.fullmatch(word):
            joined = True
        elif word == "," and begins < len(before):
            # Letters that are spelled come with commas between them.
            if not _is_spelled(tokens, index):
                break
            joined = True
            continue
        elif not word[0].isalnum() or (not joined and _AROUND.fullmatch(word)):
            break
        elif joined or len(word) == 1 or word.isdigit() or _COUNT.fullmatch(word):
            joined = False
        else:
            plain += 1
            if plain >= _MOST_PLAIN:
                break
        begins = tokens[index].start()
    return begins


def _is_spelled(tokens: list[re.Match[str]], comma: int) -> bool:
    around = tokens[max(0, comma - 1) : comma + 2]
    return all(
        (len(token[0]) == 1 and token[0] not in "aiAI") or token[0] == "," for token in around
    )
