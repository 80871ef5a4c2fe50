from levers.knowledge.front import read_front


def test_aliases_of_aliases_are_a_problem_and_not_written_out() -> None:
    lists = "".join(f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]\n" for at in range(1, 12))
    front = read_front(f"---\na0: &a0 [x]\n{lists}groups: *a11\n---\n# T\n", "docs/a.md")
    assert not front.readable
    assert [(each.line, each.found) for each in front.problems] == [
        (7, "aliases that stand for more than 100,000 values")
    ]


def test_a_list_in_the_place_of_a_name_is_told_in_few_words() -> None:
    front = read_front(f"---\ngroups: [{', '.join(map(str, range(500)))}]\nupdated: [x]\n---\n# T\n", "docs/a.md")
    assert [each.found for each in front.problems] == ["a list", "a list"]
