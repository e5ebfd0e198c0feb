package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

func testListOrder(t *testing.T, b Backend) {
	s := b.Open(t)
	called := func(name string, task cluster.Task) cluster.Task {
		task.Spec.Name = name
		return task
	}
	put(t, s, called("ä", queued("b", minute(1))), called("a", queued("a", minute(1))), called("a", queued("z", minute(2))),
		called("a\x00", queued("c", minute(1))), cancelled(called("", queued("d", minute(1))), minute(3)),
		called("", queued("ns", minute(1).Add(1))), called("Z", queued("0", minute(0))))
	want := []cluster.TaskID{"z", "ns", "a", "b", "c", "d", "0"}
	named := []cluster.TaskID{"ns", "d", "0", "z", "a", "c", "b"}
	for limit := 1; limit <= 8; limit++ {
		for _, by := range cluster.ListOrders {
			want := slices.Clone(want)
			if by.Named() {
				want = slices.Clone(named)
			}
			if by.Backward() {
				slices.Reverse(want)
			}
			got := pages(t, limit, func(ctx context.Context, p cluster.Page) ([]cluster.Task, cluster.Cursor, error) {
				p.Order = by
				return s.ListTasks(ctx, cluster.TaskFilter{}, p)
			})
			same(t, fmt.Sprintf("limit %d, order %q", limit, by), taskIDs(got), want)
		}
	}
	_, next, err := s.ListTasks(t.Context(), cluster.TaskFilter{}, cluster.Page{Limit: 2})
	isErr(t, "first page", err, nil)
	same(t, "cursor", next, cluster.Cursor{CreatedAt: minute(1).Add(1), ID: "ns"})
	if _, next, _ := s.ListTasks(t.Context(), cluster.TaskFilter{}, cluster.Page{Limit: 7}); !next.IsZero() {
		t.Errorf("a full last page has the cursor %+v", next)
	}
	// A cursor is a place, not a row.
	rows, _, err := s.ListTasks(t.Context(), cluster.TaskFilter{}, cluster.Page{Limit: 2, After: cluster.Cursor{CreatedAt: minute(1), ID: "bb"}})
	isErr(t, "page after no row", err, nil)
	same(t, "page after no row", taskIDs(rows), []cluster.TaskID{"c", "d"})
}

// testListLarge lists tasks that are too large for one page.
func testListLarge(t *testing.T, b Backend) {
	s := b.Open(t)
	var want []cluster.TaskID
	for i, size := range []int{db.PageBytes * 2 / 5, db.PageBytes * 2 / 5, db.PageBytes + 1, 1} { // one alone is a page
		task := queued(fmt.Sprintf("t%d", i), minute(1))
		task.Spec.Env = map[string]string{"E": strings.Repeat("x", size)}
		put(t, s, task)
		want = append(want, task.ID)
	}
	var sizes []int
	all := pages(t, 1000, func(ctx context.Context, p cluster.Page) ([]cluster.Task, cluster.Cursor, error) {
		list, next, err := s.ListTasks(ctx, cluster.TaskFilter{}, p)
		sizes = append(sizes, len(list))
		return list, next, err
	})
	same(t, "all of them", taskIDs(all), want)
	same(t, "pages", sizes, []int{2, 1, 1})
}

// testListStable inserts tasks before, at and behind the reader's place and
// moves tasks to another status between pages: what was there from the start
// is seen once, in order.
func testListStable(t *testing.T, b Backend) {
	s := b.Open(t)
	r := rand.New(rand.NewPCG(1, 2))
	var tasks []cluster.Task
	for i := range 60 {
		tasks = append(tasks, queued(fmt.Sprintf("old%02d", i), minute(i/4)))
	}
	put(t, s, tasks...)
	want := listIDs(t, s, cluster.TaskFilter{}, 100)
	var seen []cluster.TaskID
	n := 0
	all := pages(t, 4, func(ctx context.Context, p cluster.Page) ([]cluster.Task, cluster.Cursor, error) {
		for range 3 {
			n++
			put(t, s, queued(fmt.Sprintf("new%03d", n), minute(r.IntN(17)-1)))
		}
		moving := get(t, s, pick(r, want...))
		if !moving.Terminal() {
			must(t, s, update(cancelled(moving, minute(99))))
		}
		return s.ListTasks(ctx, cluster.TaskFilter{}, p)
	})
	twice := map[cluster.TaskID]bool{}
	for _, task := range all {
		if twice[task.ID] {
			t.Errorf("task %s is on two pages", task.ID)
		}
		twice[task.ID] = true
		if slices.Contains(want, task.ID) {
			seen = append(seen, task.ID)
		}
	}
	same(t, "tasks there from the start", seen, want)
}

// testListShrinks takes tasks out of a list before, at and behind the reader's
// place: those that stay are seen once, in order.
func testListShrinks(t *testing.T, b Backend) {
	s := b.Open(t)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 40 {
		task := succeeded(running(assigned(queued(fmt.Sprintf("t%02d", i), minute(i/4)), "w1", base), base),
			cluster.FilesSummary{Attempt: 1, Count: 1}, base)
		put(t, s, task)
	}
	var order []cluster.TaskID
	for _, task := range readAll(t, s, cluster.TaskFilter{}, 100) {
		order = append(order, task.ID)
	}
	gone := map[cluster.TaskID]bool{}
	seen := taskIDs(pages(t, 3, func(ctx context.Context, p cluster.Page) ([]cluster.Task, cluster.Cursor, error) {
		victims := []cluster.TaskID{pick(r, order...), cluster.TaskID(p.After.ID)} // also the row of the cursor
		for _, id := range victims {
			if id == "" || gone[id] {
				continue
			}
			task := get(t, s, id)
			task.Files.Deleted, gone[id] = true, true
			must(t, s, update(task))
		}
		return s.ListFiles(ctx, "", p)
	}))
	at := 0
	for _, id := range seen {
		for at < len(order) && order[at] != id {
			if !gone[order[at]] {
				t.Errorf("task %s was passed over", order[at])
			}
			at++
		}
		at++
	}
	if at > len(order) {
		t.Errorf("seen %v, out of the order %v", seen, order)
	}
}

// testEachFilter has its answers written down by hand.
func testEachFilter(t *testing.T, b Backend) {
	s := b.Open(t)
	web := queued("web", minute(1))
	web.Spec.Name, web.Spec.Labels = "Web-1", map[string]string{"team": "a", "env": "prod"}
	api := queued("api", minute(2))
	api.UserID, api.Spec.Name, api.Spec.Labels = "u2", "web-2", map[string]string{"team": "b", "env": "prod"}
	api = assigned(api, "w1", minute(2))
	job := queued("job", minute(3))
	job.Spec.Name, job.Spec.Command, job.Spec.Labels = "web%", "echo ÄHRE", map[string]string{"team": ""}
	job = failed(assigned(job, "w2", minute(3)), cluster.FailureOOM, minute(4))
	again := queued("again", minute(4))
	again.Spec.Image, again.Spec.Name = "Alpine", ""
	again = sure(assigned(again, "w2", minute(4)).Requeue(cluster.Verdict{Failure: cluster.FailureExit}, cluster.BudgetFree, time.Time{}, minute(5)))
	put(t, s, web, api, job, again)

	type ids = []cluster.TaskID
	for name, tt := range map[string]struct {
		filter cluster.TaskFilter
		want   ids
	}{
		"none":               {cluster.TaskFilter{}, ids{"again", "job", "api", "web"}},
		"one status":         {cluster.TaskFilter{Statuses: []cluster.Status{"queued"}}, ids{"again", "web"}},
		"two statuses":       {cluster.TaskFilter{Statuses: []cluster.Status{"failed", "assigned", "failed"}}, ids{"job", "api"}},
		"unknown status":     {cluster.TaskFilter{Statuses: []cluster.Status{"' OR 1=1 --"}}, ids{}},
		"user":               {cluster.TaskFilter{UserID: "u2"}, ids{"api"}},
		"unknown user":       {cluster.TaskFilter{UserID: "u9"}, ids{}},
		"worker, present":    {cluster.TaskFilter{WorkerID: "w1"}, ids{"api"}},
		"worker, last":       {cluster.TaskFilter{WorkerID: "w2"}, ids{"again", "job"}},
		"name":               {cluster.TaskFilter{NamePrefix: "web"}, ids{"job", "api"}},
		"name with a sign":   {cluster.TaskFilter{NamePrefix: "web%"}, ids{"job"}},
		"name, no wildcard":  {cluster.TaskFilter{NamePrefix: "w_b"}, ids{}},
		"label":              {cluster.TaskFilter{Labels: map[string]string{"env": "prod"}}, ids{"api", "web"}},
		"two labels":         {cluster.TaskFilter{Labels: map[string]string{"env": "prod", "team": "a"}}, ids{"web"}},
		"empty label":        {cluster.TaskFilter{Labels: map[string]string{"team": ""}}, ids{"job"}},
		"label without case": {cluster.TaskFilter{Labels: map[string]string{"ENV": "prod"}}, ids{}},
		"no labels":          {cluster.TaskFilter{Labels: map[string]string{}}, ids{"again", "job", "api", "web"}},
		"failure":            {cluster.TaskFilter{Failure: cluster.FailureOOM}, ids{"job"}},
		"since":              {cluster.TaskFilter{Since: minute(3)}, ids{"again", "job"}},
		"until":              {cluster.TaskFilter{Until: minute(3)}, ids{"api", "web"}},
		"since and until":    {cluster.TaskFilter{Since: minute(2), Until: minute(2).Add(1)}, ids{"api"}},
		"nothing between":    {cluster.TaskFilter{Since: minute(2), Until: minute(2)}, ids{}},
		"text in names":      {cluster.TaskFilter{Text: "WEB-"}, ids{"api", "web"}},
		"text in an image":   {cluster.TaskFilter{Text: "alp"}, ids{"again"}},
		"text in a command":  {cluster.TaskFilter{Text: "ähre"}, ids{"job"}},
		"text in an id":      {cluster.TaskFilter{Text: "AGAI"}, ids{"again"}},
		"text, no wildcard":  {cluster.TaskFilter{Text: "b%"}, ids{"job"}},
		"text across fields": {cluster.TaskFilter{Text: "web-1busybox"}, ids{}},
		"several":            {cluster.TaskFilter{UserID: "u1", Statuses: []cluster.Status{"queued"}, Text: "web"}, ids{"web"}},
	} {
		same(t, name, listIDs(t, s, tt.filter, 2), append(ids{}, tt.want...))
		counts, err := s.CountTasks(t.Context(), tt.filter)
		isErr(t, name, err, nil)
		sum := 0
		for _, n := range counts {
			sum += n
		}
		if sum != len(tt.want) || len(counts) != len(cluster.Statuses) {
			t.Errorf("%s: counts %v, want %d in all and every status", name, counts, len(tt.want))
		}
	}
}

// randomFilter combines up to all the ways to filter.
func randomFilter(r *rand.Rand) cluster.TaskFilter {
	var f cluster.TaskFilter
	one := func() bool { return r.IntN(4) == 0 }
	for one() {
		f.Statuses = append(f.Statuses, pick(r, cluster.Statuses...))
	}
	if one() {
		f.WorkerID = pick(r, cluster.WorkerID("w1"), "w2", "w9")
	}
	if one() {
		f.UserID = pick(r, cluster.UserID("u1"), "u2", "u9")
	}
	if one() {
		f.NamePrefix = pick(r, "a", "ab", "ab%", "ab_", "A", "ä", "zz")
	}
	if one() {
		f.Labels = pick(r, map[string]string{"team": "a"}, map[string]string{"team": "a", "env": "x"}, map[string]string{"env": "x"})
	}
	if one() {
		f.Failure = pick(r, cluster.Failures...)
	}
	if one() {
		f.Since = minute(r.IntN(20))
	}
	if one() {
		f.Until = minute(r.IntN(20))
	}
	if one() {
		f.Text = pick(r, "ABC", "ä", "t0", "%", "busy", "sleep 5")
	}
	return f
}

// testRandomFilters compares lists and counts with a walk over all tasks.
func testRandomFilters(t *testing.T, b Backend) {
	const seed = 20260203
	r := rand.New(rand.NewPCG(seed, 0))
	s := b.Open(t)
	var all []cluster.Task
	for i := range amount(b, 250, 120) {
		all = append(all, randomTask(r, i))
	}
	put(t, s, all...)
	for i := range all {
		all[i].Version = 1
	}
	for n := range amount(b, 100, 40) {
		f, by := randomFilter(r), pick(r, cluster.ListOrders...)
		slices.SortFunc(all, func(x, y cluster.Task) int { return by.Compare(by.Place(x), by.Place(y)) })
		want := slices.DeleteFunc(slices.Clone(all), func(task cluster.Task) bool { return !matches(f, task) })
		counts := map[cluster.Status]int{}
		for _, status := range cluster.Statuses {
			counts[status] = 0
		}
		for _, task := range want {
			counts[task.Status()]++
		}
		what := fmt.Sprintf("seed %d, filter %d, order %q: %+v", seed, n, by, f)
		got := pages(t, amount(b, 1, 12)+r.IntN(60), func(ctx context.Context, p cluster.Page) ([]cluster.Task, cluster.Cursor, error) {
			p.Order = by
			return s.ListTasks(ctx, f, p)
		})
		same(t, what, taskIDs(got), taskIDs(want))
		if len(want) > 0 {
			same(t, what, got, want)
		}
		gotCounts, err := s.CountTasks(t.Context(), f)
		isErr(t, what, err, nil)
		same(t, what, gotCounts, counts)
	}
}

func testLimits(t *testing.T, b Backend) {
	s := b.Open(t)
	put(t, s, queued("a", base))
	for _, limit := range []int{0, -1} {
		page := cluster.Page{Limit: limit}
		_, _, err := s.ListTasks(t.Context(), cluster.TaskFilter{}, page)
		isErr(t, "tasks", err, cluster.ErrInvalid)
		_, _, err = s.ListFiles(t.Context(), "", page)
		isErr(t, "files", err, cluster.ErrInvalid)
		_, _, err = s.WorkerAttempts(t.Context(), "w", page)
		isErr(t, "attempts", err, cluster.ErrInvalid)
		ids, err := s.TasksWithPrefix(t.Context(), "a", "", limit)
		if err != nil || len(ids) != 0 {
			t.Errorf("prefix with limit %d: %v, %v", limit, ids, err)
		}
	}
}

func testPrefixes(t *testing.T, b Backend) {
	s := b.Open(t)
	for i, id := range []string{"ab", "abc", "ab%", "ab_1", "AB", "ab\U0010FFFFz", "ac", "a", "b"} {
		task := queued(id, minute(i))
		if i%2 == 1 {
			task.UserID = "u2"
		}
		put(t, s, task)
	}
	type ids = []cluster.TaskID
	for _, tt := range []struct {
		prefix string
		user   cluster.UserID
		limit  int
		want   ids
	}{
		{"ab", "", 10, ids{"ab", "ab%", "ab_1", "abc", "ab\U0010FFFFz"}},
		{"ab", "", 2, ids{"ab", "ab%"}},
		{"ab", "u2", 10, ids{"ab_1", "abc", "ab\U0010FFFFz"}},
		{"ab%", "", 10, ids{"ab%"}},
		{"ab_", "", 10, ids{"ab_1"}},
		{"ab\U0010FFFF", "", 10, ids{"ab\U0010FFFFz"}},
		{"A", "", 10, ids{"AB"}},
		{"abcd", "", 10, nil},
		{"", "u1", 3, ids{"AB", "ab", "ab%"}},
	} {
		got, err := s.TasksWithPrefix(t.Context(), tt.prefix, tt.user, tt.limit)
		isErr(t, tt.prefix, err, nil)
		if !slices.Equal(got, tt.want) {
			t.Errorf("prefix %q of %q, limit %d: %q, want %q", tt.prefix, tt.user, tt.limit, got, tt.want)
		}
	}
}

func testWorkerAttempts(t *testing.T, b Backend) {
	s := b.Open(t)
	var want []db.Assignment
	for i, place := range []struct {
		task    cluster.TaskID
		attempt int
		minute  int
	}{{"a", 1, 1}, {"a", 2, 1}, {"a", 10, 1}, {"a/1", 1, 1}, {"b", 1, 3}, {"c", 1, 2}, {"d", 1, 1}, {"\x00", 1, 0}} {
		a := db.Assignment{
			Ref:      cluster.AttemptRef{TaskID: place.task, Attempt: place.attempt, Lease: fmt.Sprint("lease", i)},
			WorkerID: "w1", AssignedAt: minute(place.minute),
		}
		want = append(want, a)
		w := insert(queued(string(place.task), base))
		if old, err := s.Task(t.Context(), place.task); err == nil {
			w = update(old)
		}
		w.Assignment = &a
		must(t, s, w)
	}
	other := insert(queued("other", base))
	other.Assignment = &db.Assignment{Ref: cluster.AttemptRef{TaskID: "other", Attempt: 1}, WorkerID: "w2", AssignedAt: minute(1)}
	must(t, s, other)
	want = []db.Assignment{want[4], want[5], want[0], want[1], want[2], want[3], want[6], want[7]}
	for limit := 1; limit <= 9; limit++ {
		got := pages(t, limit, func(ctx context.Context, p cluster.Page) ([]db.Assignment, cluster.Cursor, error) {
			return s.WorkerAttempts(ctx, "w1", p)
		})
		same(t, fmt.Sprintf("limit %d", limit), got, want)
	}
}
