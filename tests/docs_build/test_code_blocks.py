"""The commands of a page, and the script that runs them."""

import subprocess

from docs_build import code_blocks

PAGE = """\
# Title

```sh
echo one  # it's a comment
python -m a \\
    --b "c d" | tee log
```

<!-- check only: needs a cluster -->
```sh
kubectl apply
```

```text
output
```

```python
print("two")
```

```sh
cat > x.sh <<'EOF'
python -m not.a.command
EOF
day=2026-05-02; echo "of
two lines"
(python -m e --f=$day &) && kill %1
```
"""


def test_blocks():
    found = code_blocks.blocks("p.md", PAGE)
    assert [(one.line, one.kind, one.check_only) for one in found] == [
        (4, "sh", None),
        (11, "sh", "needs a cluster"),
        (19, "python", None),
        (23, "sh", None),
    ]


def test_commands():
    first, _, _, last = code_blocks.blocks("p.md", PAGE)
    assert [(one.line, one.words) for one in code_blocks.commands(first.text)] == [
        (0, ("echo", "one")),
        (1, ("python", "-m", "a", "--b", "c d")),
        (1, ("tee", "log")),
    ]
    assert [(one.line, one.words) for one in code_blocks.commands(last.text)] == [
        (0, ("cat", "x.sh", "EOF")),
        (3, ("day=2026-05-02",)),
        (3, ("echo", "of\ntwo lines")),
        (5, ("python", "-m", "e", "--f=$day")),
        (5, ("kill", "%1")),
    ]


def test_a_script_has_the_lines_of_its_page():
    found = code_blocks.blocks("p.md", PAGE)
    lines = code_blocks.script(found, "/tmp/b{line}.py").splitlines()
    assert lines[3] == "echo one  # it's a comment"
    assert "kubectl apply" not in lines
    assert lines[18] == "python /tmp/b19.py"
    assert lines[22] == "cat > x.sh <<'EOF'"


def test_a_failing_command_is_named_with_its_line(tmp_path):
    first = "```sh\ntrue\nf() {\n    false || grep -q a /dev/null\n}\n```"
    page = f"# T\n\n{first}\n\n```sh\nf\necho no\n```\n"
    script = code_blocks.script(code_blocks.blocks("docs/p q.md", page), "")
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "docs/p q.md:6: failed: grep -q a /dev/null"
    assert done.stdout == ""
