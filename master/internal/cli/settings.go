package cli

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"cloudai/master/client"
)

const defaultDataDir = "./data/master"

// settings are the global flags.
type settings struct {
	output  string // table, json or yaml
	server  string // empty: the socket in dataDir
	token   string
	user    string
	dataDir string
	raw     bool
}

func settingsFrom(getenv func(string) string) settings {
	s := settings{output: "table", server: getenv("CLOUDAI_SERVER"), token: getenv("CLOUDAI_TOKEN"), dataDir: getenv("MASTER_DATA_DIR")}
	if s.dataDir == "" {
		s.dataDir = defaultDataDir
	}
	return s
}

func (s *settings) bind(flags *pflag.FlagSet) {
	flags.StringVarP(&s.output, "output", "o", s.output, "`table`, json or yaml")
	flags.StringVar(&s.server, "server", s.server, "`address` of a master elsewhere, with CLOUDAI_TOKEN [CLOUDAI_SERVER]")
	flags.StringVar(&s.user, "user", s.user, "act for this `user`; on the master's machine only")
	flags.BoolVar(&s.raw, "raw", s.raw, "leave control sequences in what tasks print")
	flags.StringVar(&s.dataDir, "data-dir", s.dataDir, "data `folder` of the master on this machine [MASTER_DATA_DIR]")
}

// settle checks the flags once they are parsed. A folder named on the command
// line counts more than a server named in the environment.
func (s *settings) settle(flags *pflag.FlagSet) error {
	switch s.output {
	case "table", "json", "yaml":
	default:
		return usagef("--output: %q is none of table, json, yaml", s.output)
	}
	if flags.Changed("data-dir") {
		if flags.Changed("server") && s.server != "" {
			return usagef("--data-dir is about a master on this machine, --server about one elsewhere: give one of them")
		}
		s.server = ""
	}
	return nil
}

// leadingFlags reads the global flags before the command, when there is none.
func (s *shell) leadingFlags(args []string) (settings, []string, error) {
	set := s.base
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.SetInterspersed(false)
	flags.Usage = func() {}
	set.bind(flags)
	if err := flags.Parse(args); err != nil {
		return set, args, nil //nolint:nilerr // not only global flags: the command tree will say what is wrong
	}
	return set, flags.Args(), set.settle(flags)
}

// command is one run of one command.
type command struct {
	*shell
	settings
	args     []string // as given
	out, err stream
	client   *client.Client
	socket   string // that is called; empty with a server
}

// connect makes the client; it does not call.
func (c *command) connect(cmd *cobra.Command) error {
	if err := c.settings.settle(cmd.Flags()); err != nil {
		return err
	}
	options := client.Options{User: c.user}
	if c.server != "" {
		options.Server, options.Token = c.server, c.token
		if !strings.Contains(options.Server, "://") {
			return usagef("--server: write it with its scheme, as in http://%s", options.Server)
		}
	} else {
		dir, err := filepath.Abs(c.dataDir)
		if err != nil {
			return err
		}
		options.Socket = client.SocketIn(dir)
		c.socket = options.Socket
	}
	var err error
	if c.client, err = client.New(options); err != nil {
		flag := "--server"
		if c.user != "" {
			flag = "--user"
		}
		return usagef("%s: %v", flag, err)
	}
	c.out.raw, c.err.raw = c.raw, c.raw
	return nil
}

func (c *command) close() {
	if c.client != nil {
		c.client.Close()
	}
}

const (
	shownCandidates = 10
	lookupPatience  = 2 * time.Second // of a Tab
)

// task gives the id that the prefix means.
func (c *command) task(ctx context.Context, prefix string) (string, error) {
	if prefix == "" {
		return "", usagef("an empty task id")
	}
	ids, err := c.client.TaskIDs(ctx, prefix, shownCandidates+1)
	switch {
	case err != nil:
		return "", err
	case len(ids) == 0:
		return "", errors.New("no task's id begins with " + prefix + "; " + c.typed("list-tasks") + " shows them")
	case len(ids) == 1:
		return ids[0], nil
	}
	for _, id := range ids {
		if id == prefix {
			return id, nil
		}
	}
	more := ""
	if len(ids) > shownCandidates {
		ids, more = ids[:shownCandidates], "\n  and more"
	}
	return "", errors.New(prefix + " begins the ids of several tasks:\n  " + strings.Join(ids, "\n  ") + more)
}
