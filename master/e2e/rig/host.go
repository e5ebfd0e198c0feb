package rig

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
)

// Host is another machine as the network sees it: a network namespace, joined
// to this one by a pair of virtual interfaces. Files and the container engine
// are the same as here.
type Host struct {
	name  string
	inner string // its interface
	Addr  string // of the host
	Here  string // of this machine as the host sees it
}

// hostBlocks are the blocks of four addresses in 10.213.0.0/16.
const hostBlocks = 1 << 14

var (
	firstHost = rand.Uint32N(hostBlocks) // other processes begin elsewhere
	nextHost  atomic.Uint32
)

// NewHost makes a host, of this process each time another one. It needs root;
// without it, sudo that asks for no password.
func NewHost(ctx context.Context) (*Host, error) {
	n := (firstHost + nextHost.Add(1)) % hostBlocks
	block := fmt.Sprintf("10.213.%d.", n>>6)
	low := (n & 63) * 4
	h := &Host{
		name: fmt.Sprintf("cloudai-%d", n),
		Here: fmt.Sprint(block, low+1), Addr: fmt.Sprint(block, low+2),
	}
	outer, inner := fmt.Sprintf("clh%d", n), fmt.Sprintf("clg%d", n)
	h.inner = inner
	for _, command := range []string{
		"ip netns add " + h.name,
		"ip link add " + outer + " type veth peer name " + inner + " netns " + h.name,
		"ip addr add " + h.Here + "/30 dev " + outer,
		"ip link set " + outer + " up",
		"ip -n " + h.name + " addr add " + h.Addr + "/30 dev " + inner,
		"ip -n " + h.name + " link set " + inner + " up",
		"ip -n " + h.name + " link set lo up",
	} {
		if err := asRoot(ctx, strings.Fields(command)...); err != nil {
			return nil, errors.Join(err, h.Close(ctx))
		}
	}
	return h, nil
}

// Close removes the host; what runs on it must have ended.
func (h *Host) Close(ctx context.Context) error { return asRoot(ctx, "ip", "netns", "del", h.name) }

// Cut has the network drop everything between the host and this machine.
func (h *Host) Cut(ctx context.Context) error {
	for _, way := range [][]string{{"INPUT", "-i"}, {"OUTPUT", "-o"}} {
		if err := h.Run(ctx, "iptables", "-w", "-I", way[0], way[1], h.inner, "-j", "DROP"); err != nil {
			return err
		}
	}
	return nil
}

// Unplug takes the host's link down.
func (h *Host) Unplug(ctx context.Context) error {
	return h.Run(ctx, "ip", "link", "set", h.inner, "down")
}

// Refuse refuses connections to the port on the host; its own calls get through.
func (h *Host) Refuse(ctx context.Context) error {
	return h.Run(ctx, "iptables", "-w", "-I", "INPUT", "-p", "tcp", "--dport", hostPort, "-j", "REJECT", "--reject-with", "tcp-reset")
}

// Heal undoes Cut, Unplug, Refuse and Deafen.
func (h *Host) Heal(ctx context.Context) error {
	return errors.Join(
		h.Run(ctx, "iptables", "-w", "-F"),
		h.Run(ctx, "ip", "link", "set", h.inner, "up"),
	)
}

// Command is a command line that runs another one on the host.
func (h *Host) Command(command ...string) []string {
	// nsenter, since ip netns exec would hide the cgroups.
	return append(rootly("nsenter", "--net=/run/netns/"+h.name, "--"), command...)
}

// Run runs a command on the host to its end.
func (h *Host) Run(ctx context.Context, command ...string) error {
	return run(ctx, h.Command(command...))
}

func asRoot(ctx context.Context, command ...string) error { return run(ctx, rootly(command...)) }

func run(ctx context.Context, command []string) error {
	_, err := output(ctx, command)
	return err
}

// output is what a command prints.
func output(ctx context.Context, command []string) (string, error) {
	out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, out)
	}
	return string(out), nil
}

// rootly is the command as root runs it.
func rootly(command ...string) []string {
	if os.Geteuid() == 0 {
		return command
	}
	return append([]string{"sudo", "-n"}, command...)
}

// Deafen drops every packet to a TCP port of the host; what the host sends to
// others, and hears from them in answer, still arrives.
func (h *Host) Deafen(ctx context.Context, port string) error { return h.deaf(ctx, "-A", port) }

// Hear ends what Deafen has begun.
func (h *Host) Hear(ctx context.Context, port string) error { return h.deaf(ctx, "-D", port) }

func (h *Host) deaf(ctx context.Context, how, port string) error {
	return h.Run(ctx, strings.Fields("iptables "+how+" INPUT -p tcp --dport "+port+" -j DROP")...)
}
