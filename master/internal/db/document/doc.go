// Package document owns how rows are written so that every backend keeps the
// same bytes: JSON with short names, a checksum over key and content, times as
// nanoseconds. It must not know where rows are kept, nor what they mean.
package document
