// Package logs keeps the master's copy of each attempt's log: it follows the
// log at its worker while the attempt runs, completes and seals it when the
// result comes, and serves it to readers by byte offset, during the run and
// long after it. It does not know what a task is or who may read one.
//
// A worker counts the bytes of stdout and stderr apart. The order in which the
// two are merged, and so the offset by which readers count, is fixed once, by
// appending here. The copy of one attempt is a folder entry of its task:
//
//	{task}/{attempt}.log   the merged bytes, nothing else
//	{task}/{attempt}.idx   one entry of 48 bytes per record of the log
//	{task}/{attempt}.pack  both in one file (bytes, then entries): a short log
//	                       that was complete before anything of it was written
//
// A log without a byte has no file at all.
//
// A log that is complete goes on when its result was not recorded and the next
// process of the worker reports a longer one; that of a lost attempt does not.
//
// Data is written before the entries that describe it, and an entry that says
// "durable" after both were flushed; so a crash leaves a prefix of whole
// records, which is found by looking back to the last such entry. Appending
// goes by each stream's own offset, hence nothing is ever there twice.
package logs
