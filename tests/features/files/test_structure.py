import pytest
from pydantic import StrictInt, model_validator
from pydantic.dataclasses import dataclass

from features.errors import UserInputError
from features.files import structure


@dataclass
class Sizes:
    one: StrictInt
    two: StrictInt

    @model_validator(mode="after")
    def _adds_up(self):
        if self.one + self.two != 3:
            raise ValueError(f"{self.one} and {self.two} are not 3")
        return self


def test_values_that_fit_pass_and_more_keys_are_left_alone():
    structure.check(Sizes, {"one": 1, "two": 2, "three": None}, "'m.json'", "Run again.")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"one": 1}, "two: Field required"),
        ({"one": "1", "two": 2}, "one: Input should be a valid integer"),
        ({"one": 1, "two": 3}, ": 1 and 3 are not 3"),
        ([], "Input should be"),
        (None, "Input should be"),
    ],
)
def test_what_does_not_fit_is_named_with_the_remedy(values, message):
    with pytest.raises(UserInputError) as caught:
        structure.check(Sizes, values, "'m.json'", "Run again.")
    text = str(caught.value)
    assert text.startswith("'m.json' is not as a finished job wrote it: ")
    assert message in text and text.endswith(". Run again.")


def test_of_many_problems_three_are_shown():
    with pytest.raises(UserInputError, match=" and 2 more"):
        structure.check(list[int], ["a"] * 5, "'m.json'", "Run again.")
