import pytest
from docs.reading import ROOT, pages


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that take `every_page` run once for each."""
    if "every_page" in metafunc.fixturenames:
        metafunc.parametrize("every_page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
