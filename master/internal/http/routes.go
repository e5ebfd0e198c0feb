package http

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	nethttp "net/http"
	"reflect"
	"slices"
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
	config.Info.Description = about
	config.Tags = tags
	config.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	config.Servers = []*huma.Server{{URL: "/"}}
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.CreateHooks = nil // no $schema member, no Link header
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", Description: "The token of a sign-in, or an API token."},
		"cookie": {Type: "apiKey", In: "cookie", Name: sessionCookie, Description: "A browser's sign-in."},
	}
	api := humago.New(s.mux, config)
	s.taskRoutes(api)
	s.bulkRoutes(api)
	s.exportRoutes(api)
	s.logRoutes(api)
	s.fileRoutes(api)
	s.workerRoutes(api)
	s.clusterRoutes(api)
	s.pruneRoutes(api)
	s.telemetryRoutes(api)
	s.authRoutes(api)
	s.tokenRoutes(api)
	s.userRoutes(api)
	s.auditRoutes(api)
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
	completeDocument(api.OpenAPI())
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

// access is what a call asks of its caller.
type access string

const (
	accessOpen   access = "open"   // nothing
	accessAnyone access = "anyone" // to be known
	accessRead   access = access(cluster.ScopeRead)
	accessSubmit access = access(cluster.ScopeSubmit)
	accessAdmin  access = access(cluster.ScopeAdmin)
)

// allows is nil for those who may make such a call.
func (a access) allows(p cluster.Principal) error {
	if a == accessOpen || a == accessAnyone {
		return nil
	}
	return p.Require(cluster.Scope(a))
}

// register adds a call to the API. Who may not make it hears so before
// anything else is said about the request.
func register[I, O any](api huma.API, needs access, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	noted := noteFor(op, needs)
	if needs != accessOpen {
		op.Security = []map[string][]string{{"bearer": {}}, {"cookie": {}}}
		op.Middlewares = append(huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
			if err := needs.allows(caller(ctx.Context())); err != nil {
				_, w := humago.Unwrap(ctx)
				writeProblem(w, problemOf(err, callOf(ctx.Context()).log))
				return
			}
			next(ctx)
		}}, op.Middlewares...)
	}
	op.Middlewares = append(huma.Middlewares{noted}, op.Middlewares...)
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = maxBody + 1
	}
	if needs == accessOpen {
		op.MaxBodyBytes = maxOpenBody + 1
	}
	if op.BodyReadTimeout == 0 {
		op.BodyReadTimeout = bodyTimeout
	}
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

// BodyInput is the input of a call that decodes its body itself.
type BodyInput struct {
	RawBody []byte
	Strict  StrictQuery
}

// decodeBody reads a body strictly. Before it complains, the ownership of what
// the path names is looked at. judge finds what else is wrong with one of which
// something could be read, so that all is named at once; whoever takes the body
// asks it again.
func decodeBody[B any](ctx context.Context, raw []byte, judge func(B) error) (B, error) {
	var body B
	faults, err := decodeJSON(raw, &body)
	if err == nil && len(faults) == 0 {
		return body, nil
	}
	if guard := callOf(ctx).guard; guard != nil {
		if denied := guard(); denied != nil {
			return body, denied
		}
	}
	if err != nil {
		return body, newProblem(nethttp.StatusBadRequest, err.Error())
	}
	return body, &cluster.InvalidError{Fields: alsoWrong(faults, judge(body))}
}

// alsoWrong adds what the domain finds wrong to what did not decode. Of a field
// that did not, the domain knows nothing.
func alsoWrong(faults []cluster.FieldError, err error) []cluster.FieldError {
	for _, f := range cluster.FaultsOf(err) {
		known := func(have cluster.FieldError) bool { return strings.HasPrefix(have.Location, f.Location) }
		if !slices.ContainsFunc(faults, known) {
			faults = append(faults, f)
		}
	}
	return faults
}

// NoBody is a field of the input of a POST that takes no body; an empty object
// will do.
type NoBody struct{}

// Resolve refuses a body that says something.
func (*NoBody) Resolve(ctx huma.Context) []error {
	const enough = 4 << 10
	raw, err := io.ReadAll(io.LimitReader(ctx.BodyReader(), enough))
	if err != nil {
		return []error{fault("body", "could not be read")}
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	var none struct{}
	faults, err := decodeJSON(raw, &none)
	if err != nil {
		return []error{fault("body", "must be empty")}
	}
	var errs []error
	for _, f := range faults {
		errs = append(errs, fault(f.Location, f.Message))
	}
	return errs
}

// guarded makes a check of the caller, and of what the path names by id, come
// before any complaint about the rest of the request.
func guarded(op huma.Operation, check func(ctx context.Context, p cluster.Principal, id string) error) huma.Operation {
	op.Middlewares = append(op.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		id := ctx.Param("id")
		if d := callOf(ctx.Context()).deed; d != nil {
			d.target = id
		}
		callOf(ctx.Context()).guard = func() error { return check(ctx.Context(), caller(ctx.Context()), id) }
		next(ctx)
	})
	return op
}

// aboutTask guards what belongs to a task's owner.
func (s *Server) aboutTask(op huma.Operation) huma.Operation {
	op.Middlewares = append(op.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		if d := callOf(ctx.Context()).deed; d != nil {
			d.task = cluster.TaskID(ctx.Param("id"))
		}
		next(ctx)
	})
	return guarded(op, func(ctx context.Context, p cluster.Principal, id string) error {
		_, err := s.core.Task(ctx, p, cluster.TaskID(id))
		return err
	})
}

// aboutWorker guards what needs the worker to be there.
func (s *Server) aboutWorker(op huma.Operation) huma.Operation {
	return guarded(op, func(ctx context.Context, p cluster.Principal, id string) error {
		_, err := s.core.Worker(ctx, p, cluster.WorkerID(id))
		return err
	})
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
