"""What a browser loads of a built site."""

import re
from html.parser import HTMLParser

# Attributes whose target a browser loads by itself, whatever the element; `href` only of <link>.
LOADED = {"src", "srcset", "data", "poster", "background", "action"}
REMOTE = re.compile(r"(?:https?:)?//")
IN_STYLES = re.compile(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')\s]+)")
IN_SCRIPTS = re.compile(r"https?://[\w.-]+[\w/@.-]*")
# Licenses.
IN_COMMENTS = re.compile(r"/\*.*?\*/", re.DOTALL)

# In Material's script, and never loaded here: for diagrams in Mermaid, for the stars of a
# repository on GitHub (there is no `repo_url`), for browsers of before 2020, a message's link.
NEVER_LOADED = {
    "https://unpkg.com/mermaid": 'class="mermaid"',
    "https://api.github.com/": 'data-md-component="source"',
    "https://unpkg.com/resize-observer-polyfill": None,
    "https://bit.ly/2s3ChXG": None,
}


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.loaded, self.linked, self._style = [], [], False

    def handle_starttag(self, tag, attrs):
        self._style = tag == "style"
        for name, value in attrs:
            if name in LOADED or (name == "href" and tag in ("link", "use", "image")):
                self.loaded.append(value or "")
            elif name == "href":
                self.linked.append(value or "")
            elif name == "style":
                self.loaded += IN_STYLES.findall(value or "")

    def handle_data(self, data):
        if self._style:
            self.loaded += IN_STYLES.findall(data)


def targets(html):
    """Returns what a page loads, and what it links to."""
    page = _Page()
    page.feed(html)
    return page.loaded, page.linked


def remote(name, text):
    """Returns what a file of the site loads from another host."""
    if name.endswith(".html"):
        return [target for target in targets(text)[0] if REMOTE.match(target)]
    if name.endswith((".css", ".svg")):
        return IN_STYLES.findall(text)
    if name.endswith(".js"):
        known = tuple(NEVER_LOADED)
        code = IN_COMMENTS.sub("", text)
        return [url for url in IN_SCRIPTS.findall(code) if not url.startswith(known)]
    return []
