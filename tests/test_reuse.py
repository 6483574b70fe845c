"""What is kept of earlier results."""

from llmviz.reuse import kept_with


class Owner:
    """Anything that lives for a while."""


def test_the_oldest_results_of_an_owner_go_first():
    computed = []

    @kept_with(most=2)
    def square(_owner, x):
        computed.append(x)
        return x * x

    one_owner, other_owner = Owner(), Owner()
    assert [square(one_owner, x) for x in (1, 2, 1, 3, 2, 1)] == [1, 4, 1, 9, 4, 1]
    assert computed == [1, 2, 3, 1]
    square(other_owner, 5)
    assert square(one_owner, 3) == 9
    assert computed == [1, 2, 3, 1, 5]
