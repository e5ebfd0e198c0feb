package main

import (
	"context"
	"io"
	"os"

	"cloudai/master/internal/config"
)

// prompt is the serving master's own prompt.
type prompt struct {
	wanted bool
}

func newPrompt(cfg config.Config, getenv func(string) string, stdin *os.File, stdout, stderr io.Writer) *prompt {
	return &prompt{}
}

// run serves the prompt until the context ends, or closes left when the person
// leaves it.
func (p *prompt) run(ctx context.Context, left chan<- struct{}) error {
	<-ctx.Done()
	return nil
}
