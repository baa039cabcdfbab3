// Package treetest has what tests of trees share.
//
//   - A [Listing] is all that a tree is, as plain data: what tests compare. It
//     has a text form that people read and write.
//   - A [Case] is one operation with the trees that it works on, with a text
//     form, too: what generators make, what a failure is shrunk to, and what
//     the documentation's examples are.
//   - A [Stack] is layers as plain data, with a text form and as tars; its Apply
//     is the rules of layers as a slow program.
//   - A [Source] of randomness makes adversarial listings, cases and stacks;
//     [Shrink] and [ShrinkStack] make a failing one small.
//   - [Write] and [Read] are a listing's way to a directory of this machine and
//     back, by nothing but system calls: no code of the packages under test.
//
// Only tests import it.
package treetest
