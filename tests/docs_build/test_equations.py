"""Equations become MathML, and nothing else does."""

import markdown
import pytest

from docs_build.equations import Equations


def convert(text):
    problems = []
    extensions = ["tables", "fenced_code", Equations(problems.append)]
    return markdown.markdown(text, extensions=extensions), problems


@pytest.mark.parametrize(
    "text",
    [
        "$x_i$",
        "a $x_{i}*y_{i}*z$ b",
        "| a |\n|---|\n| $x^2$ |",
        "($l < L$)",
        "- $a$, $b$",
        "$\\{1\\}$",
    ],
)
def test_an_equation_within_a_line(text):
    page, problems = convert(text)
    assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="inline"' in page
    assert "<em>" not in page
    assert "$" not in page
    assert problems == []


def test_a_displayed_equation():
    page, problems = convert("Text.\n\n$$\na_{cl} = \\frac{q_c \\cdot k_l}{\\sqrt{d}}\n$$\n\nText.")
    assert page.count('display="block"') == 1
    assert "<mfrac>" in page
    assert problems == []


@pytest.mark.parametrize(
    "text", ["`$5` and `$6`", "It costs $5 or $6.", "```sh\necho $a $b\n```", r"\$a\$", "a $ b $ c"]
)
def test_a_dollar_is_no_equation(text):
    page, problems = convert(text)
    assert "<math" not in page
    assert problems == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (r"$\nonsense{x}$", r"unknown \nonsense in the equation"),
        (r"$\frac{a}{b$", "a brace is not closed in the equation"),
        ("$a^b^c$", "DoubleSuperscriptsError in the equation"),
    ],
)
def test_a_faulty_equation_is_reported(text, problem):
    page, problems = convert(text)
    assert len(problems) == 1
    assert problem in problems[0]
    assert "$" in page
