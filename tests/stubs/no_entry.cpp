// SPDX-License-Identifier: Apache-2.0
//
// A library that is no plugin: it exports nothing.
namespace {
[[maybe_unused]] int nothing = 0;
}
