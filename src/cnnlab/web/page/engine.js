// Runs a network, given as a graph of operations (web/graph.py), on one image.

import { Matmul } from "cnnlab/matmul.js";
import { operations } from "cnnlab/operations.js";

export class Engine {
  // `graph`: {nodes, tensors}; each tensor is {data: Float32Array, shape}. `kernel`: bytes of kernel.wasm, or null.
  constructor(graph, kernel) {
    this.nodes = graph.nodes;
    this.tensors = graph.tensors;
    this.matmul = new Matmul(kernel);
  }

  weightsOf(node) {
    return Object.fromEntries(Object.entries(node.weights).map(([name, index]) => [name, this.tensors[index]]));
  }

  // The results of all nodes for an image of C x H x W numbers. `change(index, data)`, if given, may alter the result
  // of a node before others use it. Nodes before `first` take their results from `known`.
  run(image, { change = null, first = 1, known = [] } = {}) {
    const results = [{ data: image, shape: this.nodes[0].shape }, ...known.slice(1, first)];
    if (change) change(0, image);
    for (let index = first; index < this.nodes.length; index++) {
      const node = this.nodes[index];
      const inputs = node.inputs.map((input) => results[input]);
      const data = operations[node.operation](node, inputs, this.weightsOf(node), this.matmul);
      if (change) change(index, data);
      results.push({ data, shape: node.shape });
    }
    return results;
  }
}
