import keras
import pytest


@pytest.fixture
def weightless():
    """Nets built in the test get no memory for weights, now or later.

    Keras notes each variable made in a stateless scope and gives all of them memory
    when a later scope ends, so the session that holds these notes is dropped.
    """
    with keras.StatelessScope(initialize_variables=False):
        yield
    keras.utils.clear_session(free_memory=False)
