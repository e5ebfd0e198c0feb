package cli

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/chzyer/readline"
)

// withEditor calls f with the line editing of the prompt, or without a prompt
// with one of its own, on stderr.
func (s *shell) withEditor(ctx context.Context, f func(*lineEditor) (string, error)) (string, error) {
	editor := s.editor
	if editor == nil {
		var err error
		if editor, err = s.newLineEditor(ctx, s.err.Writer, &readline.TabCompleter{}); err != nil {
			return "", err
		}
		defer editor.close()
	}
	answer, err := f(editor)
	return answer, asked(ctx, err)
}

// confirm asks whether something shall be done. Anything but a yes ends the
// command.
func (c *command) confirm(ctx context.Context, question string) error {
	if !isTerminal(c.stdin) {
		return usagef("there is nobody to ask; --yes says yes")
	}
	c.err.line(question)
	answer, err := c.withEditor(ctx, func(e *lineEditor) (string, error) { return e.ask(yesNo) })
	if err != nil {
		return err
	}
	if !isYes(answer) {
		c.err.line("nothing is done")
		return exitError{exitFailed}
	}
	return nil
}

// password asks for a new password, twice, or takes it from standard input.
func (c *command) password(ctx context.Context, fromStdin bool) (string, error) {
	switch {
	case fromStdin && c.mode == modeOnce:
		return c.passwordFromStdin(ctx)
	case fromStdin:
		return "", usagef("--password-stdin is for commands of their own, bin/master cli ...; here it is asked for")
	case !isTerminal(c.stdin):
		return "", usagef("there is nobody to ask for the password; give it with --password-stdin")
	}
	return c.withEditor(ctx, func(e *lineEditor) (string, error) {
		first, err := e.askSecret("new password: ")
		if err != nil {
			return "", err
		}
		second, err := e.askSecret("the same again: ")
		if err == nil && first != second {
			err = errors.New("the two are not the same; nothing is done")
		}
		return first, err
	})
}

// maxPasswordInput is how much of standard input is looked at, in bytes.
const maxPasswordInput = 4 << 10

func (c *command) passwordFromStdin(ctx context.Context) (string, error) {
	if c.stdin == nil {
		return "", usagef("--password-stdin: there is no standard input")
	}
	in := readline.NewCancelableStdin(c.stdin)
	defer in.Close()
	defer context.AfterFunc(ctx, func() { _ = in.Close() })()
	data, err := io.ReadAll(io.LimitReader(in, maxPasswordInput))
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", err
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	switch {
	case password == "":
		return "", usagef("--password-stdin: no password came in")
	case strings.ContainsAny(password, "\r\n"):
		return "", usagef("--password-stdin: more than one line came in")
	}
	return password, nil
}
