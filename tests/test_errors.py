from omnibench.errors import DataError, OmnibenchError


def test_a_message_is_one_line_whatever_a_name_in_it_holds() -> None:
    assert str(DataError("the image 'a\nb\r' is absent")) == r"the image 'a\nb\r' is absent"
    assert str(OmnibenchError("plain")) == "plain"
