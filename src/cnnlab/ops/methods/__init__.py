"""Ways to compute one and the same cross-correlation, and the two gradients of it.

A method is a module with `supports(kernel_size, layout)`, `forward(x, weight, layout)`,
`input_gradient(gradient, weight, sizes, layout)` and `weight_gradient(x, gradient, kernel_size, layout)`; it may have
`both_gradients(x, gradient, weight, layout)` for stride 1, where both together are cheaper.
"""

from cnnlab.ops.methods import auto, fft, im2col, loop, shifted, winograd

METHODS = {"loop": loop, "shifted": shifted, "im2col": im2col, "fft": fft, "winograd": winograd}
BY_NAME = METHODS | {"auto": auto}  # which takes one of them, or PyTorch's own, for each pass
