// Package example reads documents whose shell examples are executed: it finds
// the examples, makes one script of them all, and compares what they print
// with what the document shows. It runs nothing itself.
//
// In such a document every sh block is an example. A text block after one
// shows what it prints: a line ... stands for any number of lines, … within a
// line for any text, and one run of spaces for any other. Blocks in other
// languages are for people only.
package example
