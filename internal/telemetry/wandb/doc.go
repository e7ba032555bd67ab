// Package wandb records a node's measurements for Weights & Biases.
//
// A run is one .wandb file in the node's data directory, in the format of wandb's own client: `wandb
// sync` uploads it, and so does this package when it has a key. The file is the durable queue of
// the upload. How far the upload is, the server alone knows: it has the number of lines of the run's
// history, and the last step. A restart therefore neither loses nor repeats a row, and a request
// that is sent twice changes nothing.
//
// A row is one step: all values that a node measured in a window. A node that is killed loses the
// values of the window that it was in. Names are those of the Python original, each as latest/<name>
// and as v<version>/<name>.
package wandb
