"""Texts that try to be more than text: (name, text) pairs, for every display and for the browser tests.

Each tries to run a script, to send a request by being looked at, to leave its card, or to make rendering slow. A page
that shows all of them must show text and nothing else: no script runs (they would set `window.pwned`), no request
leaves (they would go to `evil.example`).
"""

from __future__ import annotations

BEACON = "https://evil.example/x"
_SET = "window.pwned=1"

SCRIPTS = [
    ("script", f"<script>{_SET}</script>"),
    ("script in a fence", f"```html\n<script>{_SET}</script>\n```"),
    ("fence with a hostile language", f'```"><script>{_SET}</script>\ncode\n```'),
    ("fence language breaks the class", "```x\" onmouseover=alert(1) y='\ncode\n```"),
    ("script split by a tag", f"<scr<script>ipt>{_SET}</scr</script>ipt>"),
    ("img onerror", f'<img src=x onerror="{_SET}">'),
    ("img onerror, unclosed", f"<img src=x onerror={_SET}//"),
    ("svg onload", f'<svg onload="{_SET}"><script>{_SET}</script></svg>'),
    ("svg use", f'<svg><use href="data:image/svg+xml,<svg id=x onload={_SET}>#x"/></svg>'),
    ("details ontoggle", f"<details open ontoggle={_SET}>x</details>"),
    ("body onload", f'<body onload="{_SET}">'),
    ("iframe srcdoc", f'<iframe srcdoc="<script>parent.{_SET}</script>"></iframe>'),
    ("math href", '<math><mtext><a href="javascript:alert(1)">x</a></mtext></math>'),
    ("template and noscript", f'<noscript><p title="</noscript><img src=x onerror={_SET}>">'),
    ("entity encoded", f"&lt;script&gt;{_SET}&lt;/script&gt; &#60;script&#62;{_SET}&#60;/script&#62;"),
    ("comment breakout", f"<!--><script>{_SET}</script>-->"),
    ("cdata", f"<![CDATA[<script>{_SET}</script>]]>"),
    ("autofocus", f"<input autofocus onfocus={_SET}>"),
]

LINKS = [
    ("javascript link", f"[x](javascript:{_SET})"),
    ("javascript link, mixed case", f"[x](JaVaScRiPt:{_SET})"),
    ("javascript link, entities", f"[x](&#106;avascript:{_SET}) [y](javascript&colon;{_SET})"),
    ("javascript link, tab and newline", f"[x](java\tscript:{_SET}) [y](<java\nscript:{_SET}>)"),
    ("javascript link, control character", f"[x](\x01javascript:{_SET}) [y](\x00javascript:{_SET})"),
    ("javascript link, percent", f"[x](javascript%3A{_SET})"),
    ("javascript reference", f"[x][r]\n\n[r]: javascript:{_SET}"),
    ("javascript autolink", f"<javascript:{_SET}>"),
    ("data link", "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)"),
    ("vbscript link", "[x](vbscript:msgbox(1))"),
    (
        "file and relative links",
        "[x](file:///etc/passwd) [y](/lab/tree/x.ipynb) [z](x.ipynb) [w](#cell) [v](//evil.example)",
    ),
    ("commandlinker", '<button data-commandlinker-command="apputils:reset">x</button>'),
    ("title breaks the attribute", f"[x](https://ok.example \"t' onmouseover={_SET} z='\")"),
    ("href breaks the attribute", f'[x](https://ok.example/"onmouseover="{_SET})'),
    ("link text with tags", f"[<img src=x onerror={_SET}>](https://ok.example)"),
]

REQUESTS = [
    ("markdown image", f"![pixel]({BEACON}.png)"),
    ("image in a link", f"[![pixel]({BEACON}.png)](https://ok.example)"),
    ("image, data", "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)"),
    ("image, javascript", f"![x](javascript:{_SET})"),
    ("image alt breaks out", f'![" onerror="{_SET}]({BEACON}.png "t")'),
    ("html image", f'<img src="{BEACON}.png">'),
    ("css import", f"<style>@import url({BEACON}.css);</style>"),
    ("style breakout", f"</style><script>{_SET}</script><style>*{{background:url({BEACON}.png)}}"),
    ("style attribute", f'<p style="background:url({BEACON}.png)">x</p>'),
    ("link tag", f'<link rel="stylesheet" href="{BEACON}.css">'),
    ("meta refresh", f'<meta http-equiv="refresh" content="0;url={BEACON}">'),
    (
        "audio, video, object",
        f'<audio src="{BEACON}" autoplay></audio><video poster="{BEACON}"></video><object data="{BEACON}">',
    ),
    ("form", f'<form action="{BEACON}"><input type=submit></form>'),
    ("base", '<base href="https://evil.example/">'),
]

MATHS = [
    ("math href", rf"$\href{{javascript:{_SET}}}{{x}}$ and \(\href{{{BEACON}}}{{y}}\)"),
    ("math href, display", rf"$$\href{{javascript:{_SET}}}{{x}}$$" + "\n\n" + rf"\[\href{{javascript:{_SET}}}{{x}}\]"),
    ("math href behind verb", rf"$\verb\x\\href{{javascript:{_SET}}}{{x}}$"),
    ("math class, id and style", r"$\class{jp-Cell}{a}\cssId{main}{b}\style{position:fixed;top:0}{c}$"),
    ("math data attribute", r"$\data{commandlinker-command=apputils:reset}{x} \htmlData{a=b}{x}$"),
    ("math definitions", r"$\def\sum{gone}\newcommand{\int}{gone}\let\frac\relax\renewcommand\alpha{x}$"),
    ("math recursion", r"$\def\x{\x\x}\x$"),
    ("math require", r"$\require{html}\require{unicode}\unicode[font]{x41}$"),
    ("math token", r'$\mmlToken{mi}[href="javascript:alert(1)"]{x}$'),
    ("math bbox", rf"$\bbox[background:url({BEACON})]{{x}}$"),
    ("math image", rf"$\includegraphics{{{BEACON}.png}}$"),
    ("math with tags", f"$<img src=x onerror={_SET}>$ and $$</span><script>{_SET}</script>$$"),
    ("math black square", r"$\rule{9999em}{9999em}$ $\raise{-999em}{x}$"),
    ("math environment", r"\begin{equation}\href{javascript:alert(1)}{x}\end{equation}"),
    ("math unclosed", r"$$ \frac{1}{2 and \[ x and \( y and $z"),
    ("money", "It costs $5 and $6, or US$7 and HK$8; $9, or 10$."),
]

SIGNS = [
    ("right-to-left override", "user\u202egnp.exe\u202c and \u2066isolated\u2069 and \u202btext"),
    ("right-to-left override as an entity", "a &#x202E;b &#8238;c &#x2066;d"),
    ("arabic and hebrew", "السلام عليكم hello שלום 123"),
    ("ansi", "\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x07link\x1b]8;;\x07 \x1b[2J\x1b[H \x9b31m"),
    ("ansi eats markup", "**bold\x1b[** `x\x1b[` [y](https://ok.example/\x1b[)"),
    ("ansi as entities", "&#27;[31mred &#155;31m"),
    ("control characters", "a\x00b\x07c\x08d\x0be\x0cf\x7fg\x85h\u2028i\u2029j"),
    ("lone surrogates", "half \ud83d and \udc00 pair"),
    ("hidden tag characters", "see" + "".join(chr(0xE0000 + ord(char)) for char in "ignore all rules") + " this"),
    ("flag of Wales", "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f"),
    ("zalgo", "z" + "\u0301\u0334\u0489" * 200 + "algo"),
    ("volatile forgery", '<span class="qk-volatile">0.42 s</span>'),
    ("unclosed tags", "<div><table><tr><td><b><i><a href='"),
    ("closing tags", "</div></div></td></tr></table></details></body></html>"),
]

BOMBS = [
    ("one line of a megabyte", "x" * 1_000_000),
    ("a megabyte of short lines", "ab\n" * 333_333),
    ("a megabyte of Chinese", "天" * 350_000),
    ("deep quotes", "> " * 20_000 + "x"),
    ("deep lists", "".join("  " * depth + "- x\n" for depth in range(200))),
    ("deep brackets", "[" * 6_000 + "]" * 6_000),
    ("deep images", "![" * 4_000),
    ("emphasis", "*a **b " * 4_000),
    ("emphasis, nested", "*" * 15_000 + "a" + "*" * 15_000),
    ("backticks", "".join("`" * count + " " for count in range(1, 340))),
    ("unclosed links", "[a](<b" * 10_000),
    ("table of empty cells", "|" * 2_000 + "\n" + "|-" * 2_000 + "|\n" + "|\n" * 20_000),
    ("dollars", "$" * 60_000),
    ("dollar words", "$a " * 20_000),
    ("open formulas", r"\(" * 30_000 + r"\[" * 15_000),
    ("formula blocks, unclosed", "$$\nx\n\n" * 8_000),
    ("angle brackets", "<" * 60_000),
    ("ampersands", "&" * 60_000),
    ("terminal codes, unclosed", "\x1b]" * 30_000),
    ("definitions", "[x]: https://ok.example\n" * 5_000),
]

HOSTILE: list[tuple[str, str]] = SCRIPTS + LINKS + REQUESTS + MATHS + SIGNS + BOMBS
