//! What `--help` ends with: each line that begins with `tropix` is a command that runs as it stands, with files of the
//! reader's own.

/// What the list of commands ends with.
pub(super) const OVERVIEW: &str = "\
First steps:
  tropix inspect model.onnx                          what can go
  tropix prune model.onnx --keep 0.5 -o half.onnx    half of every layer, without data
  tropix compare model.onnx half.onnx --data test.npz

`tropix COMMAND -h` is one screen, `tropix COMMAND --help` has every option and examples. Global
options are read from the environment, too (TROPIX_DEVICE=cpu, TROPIX_JSON=1). `tropix completions
SHELL` and `tropix man FOLDER` make completions for a shell and manual pages.";

/// What the short help of `prune` ends with.
pub(super) const PRUNE_SHORT: &str = "\
`tropix prune --help` has every option and examples, `tropix methods` tells which method to take.";

pub(super) const PRUNE: &str = "\
Examples:
  Half of the channels and neurons, without data:
    tropix prune model.onnx --keep 0.5 -o half.onnx
  The same, fitted to some samples, and measured on others:
    tropix prune model.onnx --keep 0.5 --calib train.npz --data test.npz -o fitted.onnx
  By magnitudes, as a baseline:
    tropix prune model.onnx --keep 0.5 --method l1 --data test.npz -o magnitudes.onnx
  With a page about it for a browser:
    tropix prune model.onnx --keep 0.5 --data test.npz -o shown.onnx --report shown.html
  What would go, without writing it:
    tropix prune model.onnx --keep 0.25 --dry-run
  A number of parameters instead of a share:
    tropix prune model.safetensors --target-params 100000 -o budget.safetensors
  Nine tenths of the weights to zero, with those that stay fitted anew:
    tropix prune model.safetensors --rate 0.9 --method lamp --refit gaussian -o sparse.safetensors
  With fine-tuning on labels:
    tropix prune model.safetensors --keep 0.1 --data test.npz --finetune all -o tuned.safetensors";

pub(super) const SWEEP: &str = "\
Examples:
  Which structured method keeps most of this model:
    tropix sweep model.onnx --data test.npz --keep 0.5,0.25 --methods synth-refit,l1,path-l2
  With a picture:
    tropix sweep model.safetensors --data test.npz --methods lamp --rates 0.5,0.9 --svg curves.svg";

pub(super) const METHODS: &str = "\
Examples:
    tropix methods
    tropix methods --json";

pub(super) const INSPECT: &str = "\
Examples:
  What can go, and what stays and why:
    tropix inspect model.onnx
  The order of layers of a file that holds weights alone, to edit:
    tropix inspect model.safetensors --emit-arch arch.toml";

pub(super) const EVALUATE: &str = "\
Examples:
    tropix evaluate model.onnx --data test.npz
  Pixels from 0 to 255 in floats, normalised as in training:
    tropix evaluate model.onnx --data test.npz --mean 0.1307 --std 0.3081
  Without labels, how often two models agree:
    tropix evaluate small.onnx --against model.onnx --data test.npz";

pub(super) const COMPARE: &str = "\
Examples:
    tropix compare model.onnx small.onnx --data test.npz
    tropix compare model.onnx small.onnx --data test.npz --runs 5 --json";

pub(super) const CONVERT: &str = "\
Examples:
    tropix convert model.safetensors -o converted.onnx
    tropix convert model.onnx -o converted.safetensors";

pub(super) const CERTIFY: &str = "\
Examples:
  How far a compressed network of linear layers can be from the original on inputs like these:
    tropix certify model.safetensors small.safetensors --data test.npz --bounds half --starts 20
  On all inputs of norm up to 1:
    tropix certify model.safetensors small.safetensors --radius 1 --bounds half --starts 20";

pub(super) const ATTACK: &str = "\
Examples:
    tropix attack model.safetensors --data test.npz --epsilon 0.1 --samples 5
  An original and a pruned network on the same samples, by input gradients:
    tropix attack model.safetensors --also small.safetensors --data test.npz --method pgd";

pub(super) const BATCH: &str = "\
Examples:
    tropix batch plan jobs.toml
    tropix batch run jobs.toml -o runs
    tropix batch status runs
    tropix batch merge runs --columns accuracy.top1
    tropix batch slurm jobs.toml -o runs --shards 4";

pub(super) const DOCTOR: &str = "\
Examples:
    tropix doctor
    tropix doctor --device cpu";

pub(super) const BENCH: &str = "\
Examples:
    tropix bench --quick --workload W4 --device cpu --runs 1
  The kernels that are fastest on this adapter, kept for later runs (some minutes):
    tropix bench --tune --device gpu";

pub(super) const TRAIN: &str = "\
Examples:
  A network with two inputs on two half moons:
    tropix train --layout 2-40-2 --toy moons -o moons.safetensors
  A network of two layers on samples of 64 values:
    tropix train --layout 64-32-10 --data train.npz --test test.npz -o new.safetensors
  A pruned model, all of its weights:
    tropix train half.onnx --data train.npz --epochs 3 -o tuned.onnx
  The same without labels, by the answers of the model before pruning:
    tropix train half.onnx --data train.npz --teacher model.onnx -o taught.onnx";

pub(super) const LOTTERY: &str = "\
Examples:
    tropix lottery --toy moons --rates 0.5 --seeds 2 --epochs 5
  With a picture, and masks from the network before:
    tropix lottery --toy circles --rates 0.3,0.6 --seeds 2 --epochs 5 --iterative --svg tickets.svg";

pub(super) const RANDOM_MODEL: &str = "\
Examples:
    tropix random-model 784,512,10 -o random.safetensors";

pub(super) const BOUNDARY: &str = "\
Examples:
  A network with two inputs:
    tropix boundary plane.safetensors --svg boundary.svg
  A slice through three samples of a network with many:
    tropix boundary model.safetensors --data test.npz --points 0,1,2 --svg slice.svg";

pub(super) const POLYNOMIAL: &str = "\
Examples:
    tropix polynomial x+y+0 --svg line.svg
    tropix polynomial 'max(2*x + 1, x + y + 2, 0)' --at 1,2";

pub(super) const ZONOTOPE: &str = "\
Examples:
    tropix zonotope '[[2,0],[1,1],[0,3]]' --support 1,2 --svg zonotope.svg
    tropix zonotope plane.safetensors --class 1";

pub(super) const HAUSDORFF: &str = "\
Examples:
    tropix hausdorff '[[1,0],[0,1]]' '[[2,0],[0,2]]'
    tropix hausdorff points-a.csv points-b.csv --directed";

pub(super) const COMPLETIONS: &str = "\
Examples:
  Where the script goes, for bash:
    tropix completions bash > ~/.local/share/bash-completion/completions/tropix
  For zsh, in a folder of $fpath:
    tropix completions zsh > ~/.zfunc/_tropix
  For fish:
    tropix completions fish > ~/.config/fish/completions/tropix.fish";

pub(super) const MAN: &str = "\
Examples:
    tropix man pages
    man pages/tropix-prune.1";
