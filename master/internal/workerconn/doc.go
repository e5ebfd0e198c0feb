// Package workerconn calls workers: one long-lived connection each, calls about
// one task in the order in which they were made, and answers in the core's own
// words. It decides nothing, retries nothing that changes a worker and keeps no
// state but connections.
package workerconn
