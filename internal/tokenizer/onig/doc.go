// Package onig compiles and matches the patterns of tokenizer.json: regular expressions in
// the syntax that Oniguruma 6.9 calls its own, over UTF-8, with the options that Hugging
// Face's tokenizers use. A pattern means here what it means there: classes are Unicode's
// (package ucd), ^ and $ stand at the ends of every line, assertions and anchors see the
// whole text, and case is ignored with the foldings of one character to several.
//
// What the syntax has and this package does not do is refused by name when a pattern is
// compiled: subexpression calls, conditionals, absent operators, callouts, \K, \X, \y and
// \Y, options other than i, m and x, control and meta escapes, and bytes above 7F.
//
// A pattern is hostile: its size, its depth and the steps of a match are bounded.
package onig
