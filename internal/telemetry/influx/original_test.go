package influx

import (
	"strings"
	"testing"
	"time"

	"templar/internal/telemetry"
	"templar/internal/telemetry/telemetrytest"
)

// The original's measurements of a window, at each role.
func TestOriginal(t *testing.T) {
	for role, want := range map[telemetry.Role][]string{
		telemetry.Miner: {
			`Mtraining_step_v2,role=miner,uid=1,version=1.2.3 window=12i,global_step=2i,n_gather_peers=2i,gather_success_rate=50,gather_peers="[1,3]",skipped_peers="[2,5]",window_total_time=0.007,gather_time=0.001,loss=2.5,put_time=0.03,tokens_per_sec=1536 `,
		},
		telemetry.Aggregator: {
			`Aaggregation_step,role=aggregator,uid=0,version=1.2.3 window=12i,global_step=2i,success_rate=50,peers_selected=4i,successful_peers=2i,failed_peers=2i,gather_time=0.7,process_time=0.04,put_time=0.02,total_time=0.76,selected_uids="[1,2,3,5]",skipped_uids="[2,5]" `,
		},
		telemetry.Validator: {
			`Vvalidator_sync_score,role=validator,uid=0,version=1.2.3,eval_uid=1 window=12i,global_step=2i,l2_norm=0.25,avg_abs_diff=0.125,avg_steps_behind=0.5 `,
			`Vvalidator_scores,role=validator,uid=0,version=1.2.3,eval_uid=1 window=12i,global_step=2i,gradient_score=0.02,binary_moving_avg=0.6,sync_score=0.98,final_score=16,weight=0.6,binary_indicator=1 `,
			`Vvalidator_openskill,role=validator,uid=0,version=1.2.3,eval_uid=3 window=12i,global_step=2i,mu=30,sigma=2,ordinal=24 `,
			`Vvalidator_slash,role=validator,uid=0,version=1.2.3,eval_uid=2,reason_code=late window=12i,global_step=2i,score_before=0,score_after=9,reason="`,
			`Vvalidator_window_v2,role=validator,uid=0,version=1.2.3 window=12i,global_step=2i,outer_lr=0.00039999998989515007,learning_rate=0.00039999998989515007,gather_success_rate=50,gather_time=0.7,evaluation_time=0.9,evaluated_uids_count=2i,active_miners_count=4i,total_peers=4i,total_skipped=2i,window_total_time=0.011,peer_update_time=0.001,model_update_time=0.002,loss_own_before=2.6,`,
			`Vvalidator_inactivity,role=validator,uid=0,version=1.2.3,eval_uid=5 window=12i,global_step=2i,score_before=0,score_after=0 `,
		},
		telemetry.Evaluator: {`Ecustom_evaluation,role=evaluator,uid=0,version=1.2.3 window=12i,global_step=`},
	} {
		o := &original{tags: []Tag{{"version", "1.2.3"}}}
		compat := &original{tags: o.tags, compat: true}
		var lines, tagged string
		for _, e := range telemetrytest.Window(10, 12, time.Unix(1, 0)) {
			if e.Role != role {
				continue
			}
			e.Visit(o)
			e.Visit(compat)
			for _, l := range o.take() {
				lines += string(l)
			}
			for _, l := range compat.take() {
				tagged += string(l)
			}
		}
		for _, w := range want {
			if !strings.Contains(lines, w) {
				t.Errorf("%s has not written\n%s\nbut\n%s", role, w, lines)
			}
		}
		if !strings.Contains(tagged, ",window=12,global_step=") || strings.Contains(tagged, " window=") {
			t.Errorf("%s, with tags:\n%s", role, tagged)
		}
	}
}

// What would end a text or a line is escaped or left out.
func TestText(t *testing.T) {
	p := (&point{}).text("t", "a \"quoted\" \\ text\n"+strings.Repeat("é", 200))
	if got, want := string(p.fields), `t="a \"quoted\" \\ text`+strings.Repeat("é", (255-18)/2)+`"`; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
