package sim

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// parse reads what follows the verb.
func (f *Fault) parse(w *words) (err error) {
	switch f.What {
	case doCrash:
		if w.take("at") {
			if f.Phase = w.next(); f.Phase == "" {
				return errors.New("crash at which phase?")
			}
		}
	case doClock:
		f.Time, err = w.duration()
	case doDisk:
		if err = w.expect("slow"); err == nil {
			f.Time, err = w.duration()
		}
	case doCut:
		if err = w.expect("from"); err == nil {
			f.Topic, err = w.oneOf(topics)
		}
	case doFalsify:
		if err = w.expect("about"); err == nil {
			f.Topic, err = w.oneOf(slices.Concat(falsifiable, []string{anythingTrue, relayedParts}))
		}
	case doDrop, doFail, doSlow:
		err = f.parseRequests(w)
	case doRoll:
		if err = w.expect("back"); err == nil {
			f.Of = w.next()
		}
	case doPromote:
		f.Of = w.next()
	case doReorganise:
		word := w.next()
		if f.Blocks, err = strconv.Atoi(word); err != nil || f.Blocks < 1 || f.Blocks > 100 || strconv.Itoa(f.Blocks) != word {
			err = fmt.Errorf("%q: want 1 to 100 blocks", word)
		}
	case doDown, doJoin, doLeave, doStall:
	default:
		err = fmt.Errorf("%q: no such fault", f.What)
	}
	return err
}

// parseRequests reads "put gradient of miner-1 30%", and for slow ones a time.
func (f *Fault) parseRequests(w *words) (err error) {
	if f.Op, err = w.oneOf(ops); err != nil {
		return err
	}
	if len(*w) > 0 && objects[(*w)[0]] != "" {
		f.Object = w.next()
	}
	if w.take("of") {
		if f.Of = w.next(); f.Of == "" {
			return errors.New("of whom?")
		}
	}
	if f.What == doSlow {
		if f.Time, err = w.duration(); err != nil {
			return err
		}
	}
	f.Share = 100
	if len(*w) > 0 {
		word := w.next()
		share, ok := strings.CutSuffix(word, "%")
		if f.Share, err = strconv.Atoi(share); !ok || err != nil || f.Share < 1 || f.Share > 100 || strconv.Itoa(f.Share) != share {
			return fmt.Errorf("%q: want a share from 1%% to 100%%", word)
		}
	}
	return nil
}

// check says what the grammar alone does not.
func (f *Fault) check() error {
	switch f.What {
	case doDrop, doFail, doSlow, doRoll:
		if f.Who != theStore {
			return fmt.Errorf("%q is what the store does, not %s", f.What, f.Who)
		}
		if f.What == doRoll && !isNode(f.Of) || f.Of != "" && !isNode(f.Of) {
			return fmt.Errorf("%q: want a node, like miner-0", f.Of)
		}
	case doStall, doReorganise, doPromote:
		if f.Who != theChain {
			return fmt.Errorf("%q is what the chain does, not %s", f.What, f.Who)
		}
		if f.What == doPromote && !strings.HasPrefix(f.Of, "validator-") || f.Of != "" && !isNode(f.Of) {
			return fmt.Errorf("%q: want a validator, like validator-1", f.Of)
		}
	default:
		if !isNode(f.Who) && !slices.Contains(groups, f.Who) {
			return fmt.Errorf("%q: want a node like miner-0, or one of %s", f.Who, strings.Join(groups, ", "))
		}
	}
	if f.What == doFalsify {
		role, _, _ := strings.Cut(f.Who, "-")
		role = strings.TrimSuffix(role, "s")
		if (role == "validator") != (f.Topic == anythingTrue) || (role == "miner") != (f.Topic == relayedParts) {
			return fmt.Errorf("%q: aggregators lie about %s, validators about %s, miners about %s", f.Topic, strings.Join(falsifiable, ", "), anythingTrue, relayedParts)
		}
	}
	if (f.What == doSlow || f.What == doDisk) && f.Time <= 0 {
		return fmt.Errorf("%v: want a time above 0", f.Time)
	}
	return nil
}

// isNode reports whether s has the form of a node's name.
func isNode(s string) bool {
	role, number, ok := strings.Cut(s, "-")
	n, err := strconv.Atoi(number)
	return ok && err == nil && n >= 0 && n < 10_000 && strconv.Itoa(n) == number && slices.Contains(groups[:3], role+"s")
}

// String is the statement as Parse reads it.
func (f Fault) String() string {
	when := strconv.Itoa(f.From)
	if f.To != f.From {
		when += ".." + strconv.Itoa(f.To)
	}
	return fmt.Sprintf("window %s: %s %s%s", when, f.Who, f.What, f.details())
}

func (f Fault) details() string {
	switch f.What {
	case doCrash:
		return before(" at ", f.Phase)
	case doClock:
		return " " + f.Time.String()
	case doDisk:
		return " slow " + f.Time.String()
	case doCut:
		return " from " + f.Topic
	case doFalsify:
		return " about " + f.Topic
	case doRoll:
		return " back " + f.Of
	case doPromote:
		return " " + f.Of
	case doReorganise:
		return " " + strconv.Itoa(f.Blocks)
	case doDrop, doFail, doSlow:
		s := " " + f.Op + before(" ", f.Object) + before(" of ", f.Of)
		if f.What == doSlow {
			s += " " + f.Time.String()
		}
		if f.Share < 100 {
			s += fmt.Sprintf(" %d%%", f.Share)
		}
		return s
	}
	return ""
}

func before(word, s string) string {
	if s == "" {
		return ""
	}
	return word + s
}
