// Package http is the REST edge: it decodes requests, calls the coordinator
// and encodes what comes back. It decides nothing about tasks; who may see
// what, defaults and validation live in the core.
//
// One handler tree answers on two doors. On the Unix socket the caller is the
// admin user "local", or whom the header X-CloudAI-User names. On TCP, until
// sign-in is built, only the open calls answer; all others are 401.
//
// Refusals are application/problem+json and come in one order: identity 401,
// role 403 or ownership 404, the request itself 413, 400 or 422, state 409.
package http
