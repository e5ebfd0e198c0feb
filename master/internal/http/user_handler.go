package http

import (
	"context"
	nethttp "net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"cloudai/master/client"
	"cloudai/master/internal/accounts"
	"cloudai/master/internal/cluster"
)

func (s *Server) userRoutes(api huma.API) {
	register(api, accessAdmin, huma.Operation{
		OperationID: "listUsers", Method: nethttp.MethodGet, Path: "/api/users",
		Summary: "All accounts, oldest first", Tags: []string{"users"},
	}, s.listUsers)
	register(api, accessAdmin, huma.Operation{
		OperationID: "createUser", Method: nethttp.MethodPost, Path: "/api/users", DefaultStatus: nethttp.StatusCreated,
		Summary: "Add an account", Tags: []string{"users"},
	}, s.createUser)
	withBody[client.UserRequest](api, nethttp.MethodPost, "/api/users")
	register(api, accessAdmin, s.aboutUser(huma.Operation{
		OperationID: "changeUser", Method: nethttp.MethodPatch, Path: "/api/users/{id}",
		Summary: "Change an account", Tags: []string{"users"},
		Description: "What is absent stays. Another password and disabling end the account's sign-ins. " +
			"409 for what would leave no administrator.",
	}), s.changeUser)
	withBody[client.UserChange](api, nethttp.MethodPatch, "/api/users/{id}")
	register(api, accessAdmin, s.aboutUser(huma.Operation{
		OperationID: "deleteUser", Method: nethttp.MethodDelete, Path: "/api/users/{id}", DefaultStatus: nethttp.StatusNoContent,
		Summary: "Remove an account, its sign-ins and API tokens", Tags: []string{"users"},
		Description: "Its tasks and files stay. 409 for the last administrator.",
	}), s.deleteUser)
}

// aboutUser guards what needs the account to be there.
func (s *Server) aboutUser(op huma.Operation) huma.Operation {
	return guarded(op, func(ctx context.Context, _ cluster.Principal, id string) error {
		return s.accounts.HasUser(ctx, cluster.UserID(id))
	})
}

type userOutput struct {
	Body client.User
}

func (s *Server) userReply(ctx context.Context, u cluster.User, err error) (*userOutput, error) {
	if err != nil {
		return nil, err
	}
	list, err := s.withFileUse(ctx, []cluster.User{u})
	if err != nil {
		return nil, err
	}
	return &userOutput{list[0]}, nil
}

// withFileUse are accounts with what their files take.
func (s *Server) withFileUse(ctx context.Context, users []cluster.User) ([]client.User, error) {
	out := each(users, userOf)
	for i, u := range users {
		use, err := s.core.FileUse(caller(ctx), u.ID)
		if err != nil {
			return nil, err
		}
		out[i].Files = fileUseOf(use)
	}
	return out, nil
}

func (s *Server) listUsers(ctx context.Context, in *struct {
	PageParams
	Strict StrictQuery
},
) (*listOutput[client.User], error) {
	all, err := s.accounts.Users(ctx, caller(ctx))
	if err != nil {
		return nil, err
	}
	users, next := pageOf("listUsers", all, in.PageParams, func(u cluster.User, after place) bool {
		return after.before(u.CreatedAt, string(u.ID))
	}, func(u cluster.User) place { return place{at: u.CreatedAt.UnixNano(), id: string(u.ID)} })
	items, err := s.withFileUse(ctx, users)
	if err != nil {
		return nil, err
	}
	return &listOutput[client.User]{client.List[client.User]{Items: items, NextCursor: next}}, nil
}

func (s *Server) createUser(ctx context.Context, in *BodyInput) (*userOutput, error) {
	body, err := decodeBody(ctx, in.RawBody, func(b client.UserRequest) error { return newUserOf(b).Check() })
	if err != nil {
		return nil, err
	}
	u, err := s.accounts.AddUser(ctx, caller(ctx), newUserOf(body))
	noteTarget(ctx, string(u.ID))
	noteDetail(ctx, "role", string(u.Role))
	return s.userReply(ctx, u, err)
}

func newUserOf(b client.UserRequest) accounts.NewUser {
	return accounts.NewUser{Name: b.Name, Email: b.Email, Password: b.Password, Role: cluster.Role(b.Role)}
}

func userChangeOf(b client.UserChange) accounts.UserChange {
	change := accounts.UserChange{Name: b.Name, Disabled: b.Disabled, Password: b.Password}
	if b.Role != nil {
		role := cluster.Role(*b.Role)
		change.Role = &role
	}
	return change
}

func (s *Server) changeUser(ctx context.Context, in *struct {
	IDPath
	BodyInput
},
) (*userOutput, error) {
	body, err := decodeBody(ctx, in.RawBody, func(b client.UserChange) error { return userChangeOf(b).Check() })
	if err != nil {
		return nil, err
	}
	if body.Role != nil {
		noteDetail(ctx, "role", *body.Role)
	}
	if body.Name != nil {
		noteDetail(ctx, "name", "")
	}
	if body.Disabled != nil {
		noteDetail(ctx, "disabled", strconv.FormatBool(*body.Disabled))
	}
	if body.Password != nil {
		noteDetail(ctx, "password", "")
	}
	u, err := s.accounts.ChangeUser(ctx, caller(ctx), cluster.UserID(in.ID), userChangeOf(body))
	return s.userReply(ctx, u, err)
}

func (s *Server) deleteUser(ctx context.Context, in *struct {
	IDPath
	Strict StrictQuery
},
) (*struct{}, error) {
	return nil, s.accounts.RemoveUser(ctx, caller(ctx), cluster.UserID(in.ID))
}
