"""The reference itself is checked: by central differences, by hand, by its definitions."""

from math import log, sqrt

import numpy as np
import pytest

from fastmlp.kernels.plugins.losses import LOSSES
from tests.helpers import reference
from tests.helpers.networks import random_problem

EPS = np.finfo(np.float64).eps


def loss_of(weights, X, labels):
    return reference.cross_entropy(reference.forward(weights, X)[-1], labels)


def hidden_pre_activations(weights, X):
    activations = reference.forward(weights, X)
    layers = zip(activations[:-2], weights[:-2:2], weights[1:-2:2], strict=True)
    return [A @ W + b for A, W, b in layers]


def away_from_kinks(weights, X):
    """No pre-activation near 0, and no hidden layer all dead (its gradients would be trivial)."""
    return all(
        np.abs(Z).min() > 1e-4 and (Z > 0.0).any() for Z in hidden_pre_activations(weights, X)
    )


def smooth_problem(sizes, m):
    """The first seed whose loss is differentiable for some way around the weights."""
    for seed in range(100):
        weights, X, labels = random_problem(sizes, m, seed)
        if away_from_kinks(weights, X):
            return weights, X, labels
    raise AssertionError("no seed keeps away from the ReLU kinks")


def central_differences(weights, X, labels, step=1e-6):
    numeric = [np.empty_like(w) for w in weights]
    active = [Z > 0.0 for Z in hidden_pre_activations(weights, X)]
    for w, g in zip(weights, numeric, strict=True):
        for i in np.ndindex(w.shape):
            kept = w[i]
            losses = []
            for moved in (kept + step, kept - step):
                w[i] = moved
                losses.append(loss_of(weights, X, labels))
                for Z, was_active in zip(hidden_pre_activations(weights, X), active, strict=True):
                    assert np.array_equal(Z > 0.0, was_active), "a difference crossed a kink"
            w[i] = kept
            g[i] = (losses[0] - losses[1]) / (2.0 * step)
    return numeric


class TestGradients:
    @pytest.mark.parametrize("m", [1, 5])
    @pytest.mark.parametrize("classes", [2, 3, 7])
    @pytest.mark.parametrize("hidden", [[], [6], [6, 5], [6, 5, 4]], ids=str)
    def test_equal_central_differences(self, hidden, classes, m):
        weights, X, labels = smooth_problem([4, *hidden, classes], m)
        analytic = reference.gradients(weights, X, labels)
        numeric = central_differences(weights, X, labels)
        # A loss is rounded to a few eps: divided by the step, that is what a difference cannot see.
        unseen = 4.0 * EPS * max(1.0, loss_of(weights, X, labels)) / 1e-6
        for a, g in zip(analytic, numeric, strict=True):
            assert a.shape == g.shape
            assert np.linalg.norm(a) > 0.0
            assert np.linalg.norm(a - g) <= 1e-6 * np.linalg.norm(g)
            np.testing.assert_allclose(a, g, rtol=1e-6, atol=unseen)

    def test_mean_over_rows(self):
        weights, X, labels = random_problem([4, 6, 3], 5)
        single = [reference.gradients(weights, X[[i]], labels[[i]]) for i in range(5)]
        for i, g in enumerate(reference.gradients(weights, X, labels)):
            np.testing.assert_allclose(g, np.mean([s[i] for s in single], axis=0), rtol=1e-12)

    def test_leave_their_inputs_alone(self):
        weights, X, labels = random_problem([4, 6, 3], 5)
        before = [a.copy() for a in [*weights, X, labels]]
        reference.gradients(weights, X, labels)
        for a, b in zip([*weights, X, labels], before, strict=True):
            np.testing.assert_array_equal(a, b)

    @pytest.mark.parametrize("label", [0, 1, 2])
    @pytest.mark.parametrize("logits", [[1e4, 0.0, -1e4], [-1e4, 1e4, 1e4], [1e4, 1e4, 1e4]])
    def test_saturated_is_p_minus_y(self, logits, label):
        weights = [np.zeros((1, 3)), np.array(logits)]
        dW, db = reference.gradients(weights, np.ones((1, 1)), np.array([label]))
        p_minus_y = reference.softmax(np.array([logits]))[0] - np.eye(3)[label]
        np.testing.assert_array_equal(db, p_minus_y)
        np.testing.assert_array_equal(dW, [p_minus_y])

    def test_saturated_and_wrong_does_not_vanish(self):
        weights = [np.zeros((1, 2)), np.array([1e4, -1e4])]
        db = reference.gradients(weights, np.ones((1, 1)), np.array([1]))[1]
        np.testing.assert_array_equal(db, [1.0, -1.0])


NAMES = ("identity", "relu", "leaky_relu", "tanh", "logistic", "elu", "selu", "gelu", "silu",
         "mish", "softplus")  # fmt: skip


class TestActivations:
    @pytest.mark.parametrize("name", NAMES)
    def test_slope_equals_central_differences(self, name):
        z = np.linspace(-8, 8, 400)  # without 0, where some have a kink
        step = 1e-5
        rise = reference.activation(name, z + step) - reference.activation(name, z - step)
        slope = reference.activation_slope(name, z)
        np.testing.assert_allclose(slope, rise / (2 * step), rtol=0, atol=2e-10)

    @pytest.mark.parametrize("name", NAMES)
    def test_by_hand(self, name):
        at_one = {
            "identity": 1.0, "relu": 1.0, "leaky_relu": 1.0, "elu": 1.0, "selu": 1.0507009873554805,
            "tanh": 0.7615941559557649, "logistic": 0.7310585786300049, "gelu": 0.8413447460685429,
            "silu": 0.7310585786300049, "mish": 0.8650983882673103, "softplus": 1.3132616875182228,
        }  # fmt: skip
        at_minus_one = {
            "identity": -1.0, "relu": 0.0, "leaky_relu": -0.01, "elu": -0.6321205588285577,
            "selu": -1.1113307378125625, "tanh": -0.7615941559557649,
            "logistic": 0.2689414213699951, "gelu": -0.15865525393145707,
            "silu": -0.2689414213699951, "mish": -0.3034014613741089,
            "softplus": 0.31326168751822286,
        }  # fmt: skip
        values = reference.activation(name, np.array([1.0, -1.0]))
        np.testing.assert_allclose(values, [at_one[name], at_minus_one[name]], rtol=1e-14)

    @pytest.mark.parametrize("name", NAMES)
    def test_gradients_equal_central_differences(self, name):
        weights, X, labels = smooth_problem([4, 6, 5, 3], 5)
        names = [name, "tanh"]
        analytic = reference.gradients(weights, X, labels, names)
        for w, g in zip(weights, analytic, strict=True):
            for i in np.ndindex(w.shape):
                kept, losses = w[i], []
                for moved in (kept + 1e-6, kept - 1e-6):
                    w[i] = moved
                    logits = reference.forward(weights, X, names)[-1]
                    losses.append(reference.cross_entropy(logits, labels))
                w[i] = kept
                assert abs((losses[0] - losses[1]) / 2e-6 - g[i]) <= 1e-8


class TestLosses:
    """Every loss that kernels have; a new one fails here until the reference knows it."""

    def problem(self, name, c, seed=0):
        """Outputs, targets, weights of mean 1 and parameters, at least 1e-3 away from all kinks."""
        rng = np.random.default_rng(seed)
        Z, weights = rng.normal(size=(9, c)), rng.uniform(0.5, 2.0, 9)
        weights /= weights.mean()
        parameters = {"huber": {"delta": rng.uniform(0.3, 1.0, c)},
                      "quantile": {"q": rng.uniform(0.1, 0.9, c)}}  # fmt: skip
        if name.endswith("_rows"):
            targets = rng.dirichlet(np.ones(c), 9)
        elif reference.is_softmax(name):
            targets = rng.integers(c, size=9)
        elif name == "binary_cross_entropy":
            targets = rng.integers(2, size=(9, c))
        elif name == "poisson":
            targets = rng.poisson(2.0, (9, c))
        else:
            targets = rng.normal(size=(9, c))
            kinks = np.abs(Z - targets)
            assert kinks.min() > 1e-3
            assert np.abs(kinks - parameters["huber"]["delta"]).min() > 1e-3
        if reference.metric(name) == "accuracy":
            parameters[name] = {"smoothing": 0.2}
        return Z, targets, weights, parameters.get(name, {})

    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("c", [1, 2, 5])
    @pytest.mark.parametrize("name", LOSSES)
    def test_delta_equals_central_differences(self, name, c, weighted):
        Z, targets, weights, parameters = self.problem(name, c)
        weights = weights if weighted else None
        delta = reference.loss_delta(name, Z, targets, weights, **parameters)
        for i in np.ndindex(Z.shape):
            rise = np.zeros_like(Z)
            rise[i] = 1e-5
            above, below = (
                reference.loss(name, moved, targets, weights, **parameters)
                for moved in (Z + rise, Z - rise)
            )
            assert abs((above - below) / 2e-5 - delta[i]) <= 1e-9
        assert (delta != 0).any() or (reference.is_softmax(name) and c == 1)

    @pytest.mark.parametrize("name", LOSSES)
    def test_gradients_equal_central_differences(self, name):
        Z, targets, sample_weight, parameters = self.problem(name, 3)
        weights, X, _ = random_problem([4, 6, 3], 9, seed=1)
        more = {"loss": name, "sample_weight": sample_weight, **parameters}
        analytic = reference.gradients(weights, X, targets, ["tanh"], **more)
        for w, g in zip(weights, analytic, strict=True):
            for i in np.ndindex(w.shape):
                kept, losses = w[i], []
                for moved in (kept + 1e-6, kept - 1e-6):
                    w[i] = moved
                    Z = reference.forward(weights, X, ["tanh"])[-1]
                    losses.append(reference.loss(name, Z, targets, sample_weight, **parameters))
                w[i] = kept
                assert abs((losses[0] - losses[1]) / 2e-6 - g[i]) <= 1e-8

    @pytest.mark.parametrize(
        ("name", "z", "y", "parameters", "expected"),
        [
            ("squared_error", 3.0, 1.0, {}, 2.0),
            ("absolute_error", -3.0, 1.0, {}, 4.0),
            ("huber", 1.5, 1.0, {}, 0.125),
            ("huber", -2.0, 1.0, {"delta": 0.5}, 1.375),
            ("quantile", 3.0, 1.0, {"q": 0.75}, 0.5),
            ("quantile", 1.0, 3.0, {"q": 0.75}, 1.5),
            ("poisson", log(2.0), 3.0, {}, 2.0 - 3.0 * log(2.0)),
            ("binary_cross_entropy", log(3.0), 1.0, {}, log(4.0 / 3.0)),
            ("binary_cross_entropy", log(3.0), 0.0, {}, log(4.0)),
            # The label becomes 0.9.
            ("binary_cross_entropy", log(3.0), 1.0, {"smoothing": 0.2}, log(4.0) - 0.9 * log(3.0)),
        ],
    )
    def test_by_hand(self, name, z, y, parameters, expected):
        value = reference.loss(name, np.array([[z]]), np.array([[y]]), **parameters)
        assert value == pytest.approx(expected, rel=1e-14)

    def test_outputs_are_averaged_or_added(self):
        Z, Y = np.array([[3.0, 2.0]]), np.array([[1.0, 2.0]])
        assert reference.loss("squared_error", Z, Y) == 1.0
        Z, Y = np.log([[3.0, 1.0]]), np.array([[1.0, 0.0]])
        wanted = log(4.0 / 3.0) + log(2.0)
        assert reference.loss("binary_cross_entropy", Z, Y) == pytest.approx(wanted, rel=1e-14)

    def test_smoothed_softmax(self):
        # y = 0.1, 0.9 and p = 0.25, 0.75
        Z = np.log([[1.0, 3.0]])
        wanted = -0.1 * log(0.25) - 0.9 * log(0.75)
        for targets in (np.array([1]), np.array([[0.0, 1.0]])):
            value = reference.loss("softmax_cross_entropy", Z, targets, smoothing=0.2)
            assert value == pytest.approx(wanted, rel=1e-14)

    @pytest.mark.parametrize("name", LOSSES)
    def test_a_weight_of_k_is_k_rows(self, name):
        Z, targets, _, parameters = self.problem(name, 3)
        counts = np.arange(9) % 4
        repeated = np.repeat(Z, counts, axis=0), np.repeat(targets, counts, axis=0)
        value = reference.loss(name, Z, targets, counts, **parameters)
        assert value == pytest.approx(reference.loss(name, *repeated, **parameters), rel=1e-13)
        score = reference.score(name, Z, targets, counts)
        assert score == pytest.approx(reference.score(name, *repeated), rel=1e-13)

    def test_scores_by_hand(self):
        Z, Y = np.array([[0.0, 3.0], [2.0, 5.0]]), np.array([[0.0, 4.0], [2.0, 6.0]])
        assert reference.score("squared_error", Z, Y) == 0.5  # R² of 1 and 0
        Z, Y = np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([[1, 0], [1, 0]])
        assert reference.score("binary_cross_entropy", Z, Y) == 0.5
        assert reference.score("binary_cross_entropy", Z, Y, [1.0, 3.0]) == 0.25

    def test_a_batch_is_divided_by_its_rows_and_the_mean_weight_of_all(self):
        # One output and no features: a bias, whose gradient is that of the loss.
        weights, X, y = [np.zeros((1, 1)), np.zeros(1)], np.zeros((3, 1)), np.array([1.0, 2.0, 4.0])
        trained, _ = reference.train(
            weights, X, y, epochs=1, batch_size=2, loss="squared_error", sample_weight=[1, 2, 3],
            learning_rate=1.0,
        )  # fmt: skip
        # Weights over their mean are 0.5, 1, 1.5.
        first = (0.5 * 1 + 1 * 2) / 2
        assert trained[1] == pytest.approx([first + 1.5 * (4 - first)], rel=1e-14)

    @pytest.mark.parametrize("name", LOSSES)
    def test_train_records_loss_and_score(self, name):
        """With the weights unchanged they are those of all rows, whatever the batches."""
        _, targets, sample_weight, parameters = self.problem(name, 3)
        weights, X, _ = random_problem([4, 6, 3], 9)
        _, history = reference.train(
            weights, X, targets, epochs=1, batch_size=4, loss=name, sample_weight=sample_weight,
            parameters=parameters, learning_rate=0.0,
        )  # fmt: skip
        Z = reference.forward(weights, X)[-1]
        wanted = reference.loss(name, Z, targets, sample_weight, **parameters)
        assert history["loss"] == pytest.approx([wanted], rel=1e-13)
        wanted = reference.score(name, Z, targets, sample_weight)
        assert history[reference.metric(name)] == pytest.approx([wanted], rel=1e-13)


class TestForward:
    def test_by_hand(self):
        weights = [
            np.array([[1.0, -1.0], [2.0, 1.0]]),
            np.array([0.5, -4.0]),
            np.array([[1.0, -2.0], [3.0, 1.0]]),
            np.array([0.0, 10.0]),
        ]
        X, A1, logits = reference.forward(weights, [[1, 2], [0, 5]])
        np.testing.assert_array_equal(X, [[1.0, 2.0], [0.0, 5.0]])
        # Before ReLU: [5.5, -3] and [10.5, 1].
        np.testing.assert_array_equal(A1, [[5.5, 0.0], [10.5, 1.0]])
        # No ReLU on the logits.
        np.testing.assert_array_equal(logits, [[5.5, -1.0], [13.5, -10.0]])

    @pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.bool_])
    def test_always_float64(self, dtype):
        weights = reference.initialize(np.random.default_rng(0), [4, 6, 3], "he_normal")
        activations = reference.forward(weights, np.ones((2, 4), dtype=dtype))
        assert [A.dtype for A in activations] == [np.float64] * 3


class TestSoftmax:
    @pytest.mark.parametrize("classes", [1, 2, 10, 1000])
    @pytest.mark.parametrize("scale", [0.0, 1.0, 30.0, 1e4])
    def test_rows_sum_to_one(self, classes, scale):
        logits = np.random.default_rng(0).uniform(-scale, scale, size=(20, classes))
        p = reference.softmax(logits)
        assert (p >= 0.0).all()
        assert np.abs(p.sum(axis=1) - 1.0).max() <= 4.0 * EPS * classes

    def test_by_hand(self):
        logits = np.log([[1.0, 2.0, 5.0], [3.0, 0.5, 0.5]])
        p = [[0.125, 0.25, 0.625], [0.75, 0.125, 0.125]]
        np.testing.assert_allclose(reference.softmax(logits), p, rtol=1e-14)

    @pytest.mark.parametrize("value", [-1e4, 0.0, 1e4])
    def test_ties_share_equally(self, value):
        np.testing.assert_array_equal(reference.softmax(np.full((2, 4), value)), 0.25)

    def test_tie_for_the_first_place(self):
        np.testing.assert_array_equal(
            reference.softmax(np.array([[1e4, -1e4, 1e4]])), [[0.5, 0.0, 0.5]]
        )

    @pytest.mark.parametrize("logits", [[1e4, -1e4, 0.0], [0.0, -1e4, -1e4]])
    def test_one_class_far_ahead(self, logits):
        np.testing.assert_array_equal(reference.softmax(np.array([logits])), [[1.0, 0.0, 0.0]])


class TestCrossEntropy:
    def test_by_hand(self):
        logits = np.log([[1.0, 2.0, 5.0], [3.0, 0.5, 0.5]])
        expected = (log(8.0 / 5.0) + log(8.0)) / 2.0
        assert reference.cross_entropy(logits, np.array([2, 1])) == pytest.approx(
            expected, rel=1e-14
        )

    @pytest.mark.parametrize(
        ("logits", "label", "expected"),
        [
            ([1e4, -1e4], 0, 0.0),
            ([1e4, -1e4], 1, 2e4),
            ([-1e4, -1e4], 0, log(2.0)),
            ([1e4, 1e4, 1e4], 2, log(3.0)),
        ],
    )
    def test_extreme_logits(self, logits, label, expected):
        loss = reference.cross_entropy(np.array([logits]), np.array([label]))
        assert loss == pytest.approx(expected, rel=1e-15)

    def test_agrees_with_softmax(self):
        rng = np.random.default_rng(0)
        logits, labels = rng.normal(size=(20, 7)), rng.integers(7, size=20)
        expected = -np.log(reference.softmax(logits)[np.arange(20), labels]).mean()
        assert reference.cross_entropy(logits, labels) == pytest.approx(expected, rel=1e-13)


def test_accuracy():
    logits = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0], [-5.0, -4.0]])
    assert reference.accuracy(logits, np.array([1, 1, 0, 1])) == 0.75


class TestSteps:
    """One parameter that starts at 1; the numbers were worked out by hand."""

    def path(self, step, gradients, **options):
        weights = [np.array([1.0])]
        state = reference.new_state(weights)
        path = []
        for g in gradients:
            step(weights, [np.array([g])], state, **options)
            path.append(weights[0][0])
        return path

    def test_sgd(self):
        path = self.path(reference.sgd_step, [2.0, 2.0, -1.0], learning_rate=0.1)
        assert path == pytest.approx([0.8, 0.6, 0.7], rel=1e-14)

    def test_momentum(self):
        # v = -0.2, -0.38, -0.242
        path = self.path(reference.sgd_step, [2.0, 2.0, -1.0], learning_rate=0.1, momentum=0.9)
        assert path == pytest.approx([0.8, 0.42, 0.178], rel=1e-14)

    def test_nesterov(self):
        # The same v; moves by 0.9 v - 0.1 g = -0.38, -0.542, -0.1178.
        path = self.path(
            reference.sgd_step, [2.0, 2.0, -1.0], learning_rate=0.1, momentum=0.9, nesterov=True
        )
        assert path == pytest.approx([0.62, 0.078, -0.0398], rel=1e-12)

    def test_adam(self):
        path = self.path(
            reference.adam_step,
            [2.0, 1.0, -3.0],
            learning_rate=0.1,
            beta1=0.5,
            beta2=0.75,
            epsilon=1.0,
        )
        # m = 1, 1, -1; v = 1, 1, 3; alpha / 0.1 = 1, sqrt(7) / 3, sqrt(37) / 7
        first = 0.95
        second = first - 0.1 * sqrt(7.0) / 3.0 / 2.0
        third = second + 0.1 * sqrt(37.0) / 7.0 / (sqrt(3.0) + 1.0)
        assert path == pytest.approx([first, second, third], rel=1e-14)

    def test_adam_defaults(self):
        # A gradient so small that epsilon counts, then none.
        path = self.path(reference.adam_step, [1e-6, 0.0], learning_rate=0.1)
        # m = 1e-7, 9e-8; v = 1e-15, 9.99e-16
        first = 1.0 - 0.1 * sqrt(0.001) / 0.1 * 1e-7 / (sqrt(1e-15) + 1e-8)
        second = first - 0.1 * sqrt(0.001999) / 0.19 * 9e-8 / (sqrt(9.99e-16) + 1e-8)
        assert path == pytest.approx([first, second], rel=1e-14)


class TestTrain:
    # Seven rows in batches of three: the last has one row.
    ORDERS = ([4, 0, 6, 2, 5, 1, 3], [1, 3, 2, 0, 6, 4, 5])
    BATCHES = ([4, 0, 6], [2, 5, 1], [3], [1, 3, 2], [0, 6, 4], [5])

    STEPS = pytest.mark.parametrize(
        ("step", "options"),
        [
            (reference.sgd_step, {"learning_rate": 0.1}),
            (reference.sgd_step, {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
            (reference.adam_step, {"learning_rate": 0.01}),
        ],
        ids=["sgd", "nesterov", "adam"],
    )

    def steps_by_hand(self, weights, X, labels, batches, step, options):
        """The weights after one step for each batch, and each batch's loss before its step."""
        weights = [w.copy() for w in weights]
        state = reference.new_state(weights)
        losses = []
        for rows in batches:
            losses.append(loss_of(weights, X[rows], labels[rows]))
            step(weights, reference.gradients(weights, X[rows], labels[rows]), state, **options)
        return weights, losses

    @STEPS
    @pytest.mark.parametrize("batch_size", [7, 100])
    def test_full_batch_is_one_step(self, batch_size, step, options):
        weights, X, labels = random_problem([4, 6, 3], 7)
        trained, history = reference.train(
            weights, X, labels, epochs=1, batch_size=batch_size, step=step, **options
        )
        expected, losses = self.steps_by_hand(weights, X, labels, [range(7)], step, options)
        for w, e in zip(trained, expected, strict=True):
            np.testing.assert_allclose(w, e, rtol=1e-13)
        assert history["loss"] == pytest.approx(losses, rel=1e-13)

    @STEPS
    def test_batches_follow_the_orders(self, step, options):
        weights, X, labels = random_problem([4, 6, 3], 7)
        orders = [np.array(order) for order in self.ORDERS]
        trained, history = reference.train(
            weights, X, labels, epochs=2, batch_size=3, orders=orders, step=step, **options
        )
        expected, losses = self.steps_by_hand(weights, X, labels, self.BATCHES, step, options)
        for w, e in zip(trained, expected, strict=True):
            np.testing.assert_allclose(w, e, rtol=1e-13)
        by_epoch = [np.dot([3, 3, 1], losses[:3]) / 7, np.dot([3, 3, 1], losses[3:]) / 7]
        assert history["loss"] == pytest.approx(by_epoch, rel=1e-13)

    @pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 10])
    def test_every_row_once_an_epoch(self, batch_size):
        weights, X, labels = random_problem([4, 6, 3], 7)
        seen = []

        def keep_gradients(weights, grads, state):
            seen.append(grads)

        _, history = reference.train(
            weights, X, labels, epochs=1, batch_size=batch_size, step=keep_gradients
        )
        # With the weights unchanged, the batches must add up to the whole of the data.
        rows = [min(batch_size, 7 - start) for start in range(0, 7, batch_size)]
        assert len(seen) == len(rows)
        for i, g in enumerate(reference.gradients(weights, X, labels)):
            summed = sum(m * grads[i] for m, grads in zip(rows, seen, strict=True))
            np.testing.assert_allclose(summed / 7, g, rtol=1e-12, atol=1e-15)
        logits = reference.forward(weights, X)[-1]
        assert history["loss"] == pytest.approx([reference.cross_entropy(logits, labels)])
        assert history["accuracy"] == pytest.approx([reference.accuracy(logits, labels)])

    def test_works_on_copies(self):
        weights, X, labels = random_problem([4, 6, 3], 7)
        before = [a.copy() for a in [*weights, X, labels]]
        trained, _ = reference.train(weights, X, labels, epochs=2, batch_size=3, learning_rate=0.1)
        for a, b in zip([*weights, X, labels], before, strict=True):
            np.testing.assert_array_equal(a, b)
        assert not any(np.array_equal(w, b) for w, b in zip(trained, weights, strict=True))

    def test_float32_start_is_trained_in_float64(self):
        weights, X, labels = random_problem([4, 6, 3], 7)
        weights = [w.astype(np.float32) for w in weights]
        options = {"epochs": 2, "batch_size": 3, "learning_rate": 0.1}
        trained, _ = reference.train(weights, X, labels, **options)
        widened = [w.astype(np.float64) for w in weights]
        expected, _ = reference.train(widened, X, labels, **options)
        for w, e in zip(trained, expected, strict=True):
            assert w.dtype == np.float64
            np.testing.assert_array_equal(w, e)

    @STEPS
    def test_learns(self, step, options):
        rng = np.random.default_rng(0)
        labels = rng.integers(3, size=90)
        X = np.eye(3)[labels] + rng.normal(0.0, 0.1, size=(90, 3))
        weights = reference.initialize(rng, [3, 8, 3], "glorot_uniform")
        _, history = reference.train(
            weights, X, labels, epochs=30, batch_size=8, step=step, **options
        )
        assert len(history["loss"]) == len(history["accuracy"]) == 30
        assert history["loss"][-1] < 0.2 * history["loss"][0]
        assert history["accuracy"][-1] == 1.0


class TestInitialize:
    SIZES = (300, 200, 100)

    @pytest.mark.parametrize("initializer", ["glorot_uniform", "he_normal", "normal"])
    def test_shapes_and_biases(self, initializer):
        W1, b1, W2, b2 = reference.initialize(np.random.default_rng(0), self.SIZES, initializer)
        assert [a.shape for a in (W1, b1, W2, b2)] == [(300, 200), (200,), (200, 100), (100,)]
        assert {a.dtype for a in (W1, b1, W2, b2)} == {np.dtype(np.float64)}
        assert not b1.any()
        assert not b2.any()

    @pytest.mark.parametrize("initializer", ["glorot_uniform", "he_normal", "normal"])
    def test_moments(self, initializer):
        weights = reference.initialize(np.random.default_rng(0), self.SIZES, initializer)
        for W in weights[::2]:
            n_in, n_out = W.shape
            variance = {
                "glorot_uniform": 2.0 / (n_in + n_out),
                "he_normal": 2.0 / n_in,
                "normal": 1.0,
            }[initializer]
            # Five standard errors of the mean, and of a normal's variance (a uniform's is less).
            assert abs(W.mean()) < 5.0 * sqrt(variance / W.size)
            assert abs(W.var() / variance - 1.0) < 5.0 * sqrt(2.0 / W.size)

    def test_glorot_fills_its_bounds(self):
        weights = reference.initialize(np.random.default_rng(0), self.SIZES, "glorot_uniform")
        for W in weights[::2]:
            limit = sqrt(6.0 / sum(W.shape))
            assert 0.999 * limit < np.abs(W).max() <= limit

    def test_he_is_not_truncated(self):
        W = reference.initialize(np.random.default_rng(0), [300, 200], "he_normal")[0]
        assert np.abs(W).max() > 3.5 * sqrt(2.0 / 300)

    def test_draws_layer_by_layer(self):
        weights = reference.initialize(np.random.default_rng(7), [3, 2, 4], "normal")
        rng = np.random.default_rng(7)
        np.testing.assert_array_equal(weights[0], rng.normal(0.0, 1.0, size=(3, 2)))
        np.testing.assert_array_equal(weights[2], rng.normal(0.0, 1.0, size=(2, 4)))

    def test_unknown_name(self):
        with pytest.raises(ValueError, match="unknown initializer 'zeros'"):
            reference.initialize(np.random.default_rng(0), [3, 2], "zeros")
