// Package http is the REST edge: it decodes requests, calls the coordinator
// and encodes what comes back. It decides nothing about tasks; who may see
// what, defaults and validation live in the core.
//
// One handler tree answers on two doors. On the Unix socket the caller is the
// admin user "local", or whom the header X-CloudAI-User names. On TCP one shows
// a sign-in's token or an API token; without, all but the open calls are 401.
//
// Refusals are application/problem+json and come in one order: identity 401,
// role 403 or ownership 404, the request itself 413, 400 or 422, state 409.
package http
