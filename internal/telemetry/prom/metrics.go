package prom

// Type is the kind of a metric.
type Type string

// The kinds of metrics.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
)

// Metric describes one metric. Every one has the labels node and role besides Labels.
type Metric struct {
	Name   string
	Type   Type
	Unit   string // "" when it is a number of things
	Labels []string
	Help   string
}

// Names of labels. Each has a bounded number of values: a uid is one of the at most 256 slots of
// a subnet, a verdict and a phase are words of the protocol. A window is never a label.
const (
	labelNode    = "node"
	labelRole    = "role"
	labelUID     = "uid"
	labelVerdict = "verdict"
	labelPhase   = "phase"
	labelTask    = "task"
	labelMetric  = "metric"
)

const (
	metricInfo           = "templar_build_info"
	metricBlock          = "templar_block"
	metricPhase          = "templar_phase"
	metricPhaseWindow    = "templar_phase_window"
	metricParameters     = "templar_parameters"
	metricStart          = "templar_start_window"
	metricWindow         = "templar_window"
	metricWindowTime     = "templar_window_timestamp_seconds"
	metricStep           = "templar_step"
	metricRate           = "templar_learning_rate"
	metricProvisional    = "templar_provisional"
	metricProvisionals   = "templar_provisional_windows_total"
	metricIncluded       = "templar_peers_included"
	metricSkipped        = "templar_peers_skipped_total"
	metricLoss           = "templar_training_loss"
	metricTokens         = "templar_trained_tokens_total"
	metricBatches        = "templar_trained_batches_total"
	metricTraining       = "templar_training_seconds_total"
	metricEngine         = "templar_engine_seconds_total"
	metricEngineCPU      = "templar_engine_cpu_seconds_total"
	metricSent           = "templar_sent_bytes_total"
	metricUploads        = "templar_upload_seconds"
	metricReceived       = "templar_received_bytes_total"
	metricGathers        = "templar_gather_seconds"
	metricGatherRate     = "templar_gather_success_rate"
	metricVerdicts       = "templar_gather_verdicts_total"
	metricPublishedRate  = "templar_published_success_rate"
	metricAggregation    = "templar_aggregation_seconds"
	metricPublication    = "templar_publication_seconds"
	metricAudits         = "templar_audits_total"
	metricAuditsFalse    = "templar_false_audits_total"
	metricEvaluations    = "templar_evaluation_seconds"
	metricScoreGradient  = "templar_miner_gradient_score"
	metricScoreMu        = "templar_miner_rating_mu"
	metricScoreSigma     = "templar_miner_rating_sigma"
	metricScoreOrdinal   = "templar_miner_rating_ordinal"
	metricScoreBinary    = "templar_miner_binary_average"
	metricScoreSync      = "templar_miner_sync_score"
	metricScoreFinal     = "templar_miner_final_score"
	metricScoreWeight    = "templar_miner_weight"
	metricScorePenalties = "templar_miner_penalties_total"
	metricSyncDistance   = "templar_miner_sync_distance"
	metricWeights        = "templar_weights_set_total"
	metricWeightsRefused = "templar_weights_refused_total"
	metricWeightsBlock   = "templar_weights_block"
	metricCheckpoints    = "templar_checkpoints_total"
	metricCheckpointSize = "templar_checkpoint_bytes"
	metricHeldOutLoss    = "templar_held_out_loss"
	metricHeldOutBits    = "templar_held_out_bpb"
	metricHeldOutWindow  = "templar_held_out_window"
	metricHeldOutPerplex = "templar_held_out_perplexity"
	metricTaskAcc        = "templar_task_accuracy"
	metricTaskErr        = "templar_task_accuracy_stderr"
	metricTaskLikelihood = "templar_task_log_likelihood"
	metricTaskDocuments  = "templar_task_documents"
	metricTaskWindow     = "templar_task_window"
)

// All lists the metrics in the order of the documentation.
func All() []Metric {
	miner := []string{labelUID}
	return []Metric{
		{metricInfo, Gauge, "", []string{"version", "goversion"}, "1; the labels describe the program."},
		{metricBlock, Gauge, "", nil, "Newest block of the chain that the node has seen (localnet only)."},
		{metricPhase, Gauge, "", []string{labelPhase}, "1 for the phase of the loop that the node is in, 0 for the others that it has been in."},
		{metricPhaseWindow, Gauge, "", nil, "Window that the present phase is about."},
		{metricParameters, Gauge, "", nil, "Parameters of the model."},
		{metricStart, Gauge, "", nil, "Start window of the run."},
		{metricWindow, Gauge, "", nil, "Last window of which the node has applied or, as an aggregator, published the Aggregate."},
		{metricWindowTime, Gauge, "seconds", nil, "When that was, in seconds since 1970."},
		{metricStep, Gauge, "", nil, "Global step of that window: windows since the start window."},
		{metricRate, Gauge, "", nil, "Learning rate of that window."},
		{metricProvisional, Gauge, "", nil, "1 while the node trains on a provisional state, without the last Aggregate; otherwise 0."},
		{metricProvisionals, Counter, "", nil, "Windows that were passed without their Aggregate."},
		{metricIncluded, Gauge, "", nil, "Gradients in the last Aggregate."},
		{metricSkipped, Counter, "", []string{labelUID, labelVerdict}, "Windows in which the Aggregate left a selected peer out, by its uid and the verdict."},
		{metricLoss, Gauge, "nats a token", nil, "Mean loss over the batches of the last window that was trained, before the update."},
		{metricTokens, Counter, "", nil, "Tokens trained on."},
		{metricBatches, Counter, "", nil, "Batches trained on."},
		{metricTraining, Counter, "seconds", nil, "Time spent training."},
		{metricEngine, Counter, "seconds", nil, "Time in which the node's engine computed losses, gradients and steps: its rate is the utilisation."},
		{metricEngineCPU, Counter, "seconds", nil, "Processor time of the engine's threads."},
		{metricSent, Counter, "bytes", nil, "Protocol objects stored by the node."},
		{metricUploads, Histogram, "seconds", nil, "Time to store a gradient."},
		{metricReceived, Counter, "bytes", nil, "Gradients and Aggregates fetched by the node."},
		{metricGathers, Histogram, "seconds", nil, "Time to gather a window's gradients."},
		{metricGatherRate, Gauge, "", nil, "Share of the peers in the node's last gather whose gradient can be used, 0 to 1."},
		{metricVerdicts, Counter, "", []string{labelVerdict}, "Verdicts of the node's own gathers."},
		{metricPublishedRate, Gauge, "", nil, "Share of the selected peers that are in the last Aggregate, 0 to 1."},
		{metricAggregation, Histogram, "seconds", nil, "Time to combine a window's gradients."},
		{metricPublication, Histogram, "seconds", nil, "Time from the combined update to the Aggregate read back from the bucket."},
		{metricAudits, Counter, "", nil, "Aggregates that a validator has recomputed."},
		{metricAuditsFalse, Counter, "", nil, "Aggregates that a validator found to be false."},
		{metricEvaluations, Histogram, "seconds", nil, "Time to measure a window's gradients."},
		{metricScoreGradient, Gauge, "", miner, "Relative improvement of the loss on random pages when last evaluated, -1 to 1."},
		{metricScoreMu, Gauge, "", miner, "OpenSkill rating: mean."},
		{metricScoreSigma, Gauge, "", miner, "OpenSkill rating: standard deviation."},
		{metricScoreOrdinal, Gauge, "", miner, "OpenSkill rating: mu - 3 sigma."},
		{metricScoreBinary, Gauge, "", miner, "Moving average of +1 (helped more on its own pages than on random ones) and -1."},
		{metricScoreSync, Gauge, "", miner, "Closeness of the miner's parameters to the validator's, 0 to 1."},
		{metricScoreFinal, Gauge, "", miner, "Final score."},
		{metricScoreWeight, Gauge, "", miner, "Share of the validator's weights, 0 to 1."},
		{metricScorePenalties, Counter, "", miner, "Penalties that the miner has received."},
		{metricSyncDistance, Gauge, "updates", miner, "Distance of the miner's parameters from the validator's, in mean sizes of an update."},
		{metricWeights, Counter, "", nil, "Times that the chain accepted the validator's weights."},
		{metricWeightsRefused, Counter, "", nil, "Times that the chain refused the validator's weights."},
		{metricWeightsBlock, Gauge, "", nil, "Block of the weights that were accepted last."},
		{metricCheckpoints, Counter, "", nil, "Checkpoints completed in the node's bucket."},
		{metricCheckpointSize, Gauge, "bytes", nil, "Size of the last checkpoint."},
		{metricHeldOutLoss, Gauge, "nats a token", nil, "Loss on held-out text after templar_held_out_window."},
		{metricHeldOutPerplex, Gauge, "tokens", nil, "Perplexity on held-out text: e^loss."},
		{metricHeldOutBits, Gauge, "bits", nil, "Loss on held-out text in bits for each byte of text."},
		{metricHeldOutWindow, Gauge, "", nil, "Window after which held-out text was measured last."},
		{metricTaskAcc, Gauge, "", []string{labelTask, labelMetric}, "Share of a multiple-choice task's documents that the model answered right after templar_task_window: acc, or acc_norm, by the likelihood of a character."},
		{metricTaskErr, Gauge, "", []string{labelTask, labelMetric}, "Standard error of that share."},
		{metricTaskLikelihood, Gauge, "nats", []string{labelTask}, "Mean log-likelihood of the task's right answers."},
		{metricTaskDocuments, Gauge, "", []string{labelTask}, "Documents of the task that were measured."},
		{metricTaskWindow, Gauge, "", nil, "Window after which tasks were measured last."},
	}
}
