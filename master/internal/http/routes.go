package http

import (
	"context"
	"encoding/json"
	"fmt"
	nethttp "net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"cloudai/master/internal/auth"
	"cloudai/master/internal/cluster"
)

// OpenAPI renders the API's document without serving anything; it is what
// docs/openapi.json holds.
func OpenAPI() ([]byte, error) {
	s, err := New(Config{})
	if err != nil {
		return nil, err
	}
	return s.openAPI, nil
}

// routes registers every call and renders the document.
func (s *Server) routes() ([]byte, error) {
	huma.DefaultArrayNullable = false
	config := huma.DefaultConfig("CloudAI", "1")
	config.Info.Description = "Runs containers on machines that you own. Units: CPU in cores, memory and storage in MiB, " +
		"GPU in devices, other sizes in bytes, times in UTC, durations Go style (90s)."
	config.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	config.Servers = []*huma.Server{{URL: "/"}}
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.CreateHooks = nil // no $schema member, no Link header
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", Description: "A session token or an API token."},
	}
	api := humago.New(s.mux, config)
	s.taskRoutes(api)
	s.logRoutes(api)
	s.fileRoutes(api)
	s.workerRoutes(api)
	s.telemetryRoutes(api)
	s.healthRoutes(api)
	s.mux.HandleFunc("GET /openapi.json", s.serveOpenAPI)
	s.mux.HandleFunc("/", s.unrouted)
	paths := api.OpenAPI().Paths
	for path, item := range paths { // what is {path...} to the mux is {path} in OpenAPI
		if plain := strings.ReplaceAll(path, "...}", "}"); plain != path {
			paths[plain] = item
			delete(paths, path)
		}
	}
	doc, err := json.MarshalIndent(api.OpenAPI(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("render the OpenAPI document: %w", err)
	}
	return append(doc, '\n'), nil
}

func (s *Server) serveOpenAPI(w nethttp.ResponseWriter, _ *nethttp.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(s.openAPI) // a client that has gone
}

// register adds a call to the API. Those that are not open say so in the
// document; the door itself is in ServeHTTP.
func register[I, O any](api huma.API, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	if !openPaths[op.Path] {
		op.Security = []map[string][]string{{"bearer": {}}}
	}
	op.MaxBodyBytes = maxBody + 1
	op.BodyReadTimeout = bodyTimeout
	huma.Register(api, op, handle)
}

// withBody documents the JSON body of a call that decodes it itself, strictly
// and with all faults at once.
func withBody[B any](api huma.API, method, path string) {
	item := api.OpenAPI().Paths[path]
	op := map[string]*huma.Operation{nethttp.MethodPost: item.Post, nethttp.MethodPatch: item.Patch}[method]
	schema := api.OpenAPI().Components.Schemas.Schema(typeOf[B](), true, "")
	op.RequestBody = &huma.RequestBody{
		Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}},
	}
}

// aboutTask makes the ownership of the task in the path come before any
// complaint about the rest of the request.
func (s *Server) aboutTask(op huma.Operation) huma.Operation {
	op.Middlewares = append(op.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		id := cluster.TaskID(ctx.Param("id"))
		callOf(ctx.Context()).guard = func() error {
			_, err := s.core.Task(ctx.Context(), caller(ctx.Context()), id)
			return err
		}
		next(ctx)
	})
	return op
}

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// caller is the identified principal. Only open calls are reached without one;
// for them it is nobody, who owns nothing.
func caller(ctx context.Context) cluster.Principal {
	p, _ := auth.Principal(ctx)
	return p
}

// pageOf cuts a page from a complete list that stands in the order of place.
func pageOf[T any](kind string, all []T, page PageParams, follows func(T, place) bool, at func(T) place) ([]T, string) {
	start := 0
	if page.Cursor != "" {
		for start < len(all) && !follows(all[start], page.after) {
			start++
		}
	}
	end := min(len(all), start+page.Limit)
	if end == len(all) {
		return all[start:end], ""
	}
	return all[start:end], encodeCursor(kind, at(all[end-1]))
}
