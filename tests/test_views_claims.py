"""The table of claims: what is measured is text, whatever it holds."""

from llmviz.views.kit.claims import Claim, Claims


def test_a_claim_is_text():
    table = Claims([Claim("a < b & c", "<script>window.hacked = 1</script>", "holds")])
    assert "<script>" not in table.value
    assert "&lt;script&gt;" in table.value
    assert table.value.count("<tr>") == 2
    assert repr(table).splitlines()[1] == "a < b & c | <script>window.hacked = 1</script> | holds"
    assert table._repr_mimebundle_()["text/plain"] == repr(table)
