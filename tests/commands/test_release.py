"""Which code made a suggestion."""

from importlib.resources import files

from commands.release import VERSION, code_version, modules_in


def test_the_code_version_goes_by_every_module_that_suggests() -> None:
    names = {name for name, _ in modules_in(files("recommender"))}

    assert {"suggest.py", "rankers/ease.py", "rankers/lightfm_hybrid.py"} <= names
    assert code_version().startswith(f"{VERSION}+")
