// SPDX-License-Identifier: Apache-2.0
//
// The examples of `attest explain`: numbers small enough to be followed with a pencil.
#include <stdexcept>

#include "harness/core/words.h"
#include "harness/explain/layer_case.h"

namespace attest::explain {
namespace {

struct Example {
  std::string name, description;
  LayerCase (*make)();
};

// Entry `i` is the key e_i beside a value; the query holds a key alone. Wq is 16 times the choice
// of the key's columns, so that the right key wins by e^8.
LayerCase Dictionary() {
  LayerCase c;
  c.x = Matrix(1, 8, {0, 0, 1, 0, 0, 0, 0, 0});
  c.x_kv = Matrix(4, 8, {1, 0, 0, 0, 1, 1, 0, 0,  //
                         0, 1, 0, 0, 2, 0, 2, 0,  //
                         0, 0, 1, 0, 3, 1, 4, 1,  //
                         0, 0, 0, 1, 4, 0, 0, 4});
  c.w_q = c.w_k = c.w_v = Matrix(4, 8);
  for (int64_t n = 0; n < 4; ++n) {
    c.w_q.at(n, n) = 16;
    c.w_k.at(n, n) = 1;
    c.w_v.at(n, 4 + n) = 1;
  }
  c.tokens = {"'pear'?"};
  c.key_tokens = {"apple", "fig", "pear", "plum"};
  c.sentence =
      "A query that matches one key fetches that key's value: attention is a soft dictionary.";
  return c;
}

// A stall is what it promises (sweet, fresh, cheap) beside what one carries home from it (kilos,
// euros, smiles). Wq and Wk look at the first three, Wv at the last three.
LayerCase Market() {
  LayerCase c;
  c.x = Matrix(1, 6, {2, 1, 1, 0, 0, 0});
  c.x_kv = Matrix(5, 6, {1, 1, 2, 3, 4, 1,  //
                         2, 1, 0, 1, 6, 3,  //
                         2, 1, 1, 2, 5, 2,  //
                         0, 2, 1, 4, 3, 0,  //
                         1, 0, 2, 5, 2, 1});
  c.w_q = c.w_k = c.w_v = Matrix(3, 6);
  for (int64_t n = 0; n < 3; ++n) {
    c.w_q.at(n, n) = c.w_k.at(n, n) = 1;
    c.w_v.at(n, 3 + n) = 1;
  }
  c.tokens = {"shopper"};
  c.key_tokens = {"apples", "cherries", "peaches", "leeks", "melons"};
  c.sentence =
      "The query is what the shopper wants, keys are what the stalls promise, weights say how much "
      "is bought where, and the output is the basket: values in that proportion.";
  return c;
}

LayerCase ThreeTokens() {
  LayerCase c;
  c.x = Matrix(3, 3, {1, 2, 3, 1, 2, 5, 0, 2, 0});
  c.sentence =
      "Each output row is a weighted mean of the rows of V, with the weights of its row; weights "
      "of "
      "i for j and of j for i differ, because Wq and Wk do.";
  return c;
}

const std::vector<Example>& Examples() {
  static const std::vector<Example> examples = {
      {"dictionary", "one-hot keys: a query fetches the value of its key", Dictionary},
      {"market", "a shopper, named stalls, and how much is bought where", Market},
      {"three-tokens", "X = [1,2,3], [1,2,5], [0,2,0], the default", ThreeTokens},
  };
  return examples;
}

const Example& Find(std::string_view name) {
  for (const Example& example : Examples())
    if (example.name == name) return example;
  throw std::invalid_argument("--example: " + UnknownWord("example", name, ExampleNames()));
}

}  // namespace

std::vector<std::string> ExampleNames() {
  std::vector<std::string> names;
  for (const Example& example : Examples()) names.push_back(example.name);
  return names;
}

std::string_view ExampleDescription(std::string_view name) { return Find(name).description; }

LayerCase ExampleCase(std::string_view name) { return Find(name).make(); }

}  // namespace attest::explain
