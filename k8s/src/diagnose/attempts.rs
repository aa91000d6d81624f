//! What tasks reported of themselves, where nothing else is known: on this machine, or when the
//! cluster has forgotten the Job.

use super::ended::explain_exit;
use super::finding::Symptom;
use super::{Cause, Finding, Severity, gather};
use crate::job::RunnerKind;
use crate::plan::StageKind;
use crate::task::AttemptReport;

/// What to do about memory where nothing but options of this machine can help.
const MORE_MEMORY: &str = "`geoflow job resume` with more --memory-limit, or fewer --workers that share it; --memory-cap lets the fragments \
     that need more have it by themselves";

/// The causes of attempts that failed. `done` are the fragments that succeeded later.
pub fn diagnose_attempts(
    attempts: &[AttemptReport],
    done: &[(StageKind, String)],
    runner: RunnerKind,
) -> Vec<Finding> {
    let symptoms = attempts.iter().map(|attempt| {
        let statistics = &attempt.statistics;
        let peak = Some(statistics.peak_memory).filter(|peak| *peak > 0);
        let code = i32::from(attempt.exit_code);
        let said = attempt.message.trim();
        let (cause, explanation, mut remedy) =
            explain_exit(code, "", said, statistics.memory_limit, peak);
        if cause == Cause::OutOfMemory && runner == RunnerKind::Local {
            remedy = MORE_MEMORY.into();
        }
        let overcome = done
            .iter()
            .any(|(stage, id)| *stage == attempt.stage && *id == attempt.fragment);
        let severity = match overcome {
            true => Severity::Overcome,
            false => Severity::Failed,
        };
        let host = &statistics.host;
        let evidence = format!(
            "attempt {} on {host}: exit code {code}: {said}",
            attempt.attempt
        );
        let mut symptom = Symptom::new(severity, cause, explanation, remedy, evidence);
        symptom.fragments.push(attempt.fragment.clone());
        symptom
    });
    gather(symptoms.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TaskExit;
    use crate::task::TaskStatistics;

    #[test]
    fn an_attempt_that_was_overcome_is_no_failure() {
        let attempt = |fragment: &str, exit: TaskExit| AttemptReport {
            job: "j".into(),
            stage: StageKind::Parts,
            fragment: fragment.into(),
            attempt: "a".into(),
            exit_code: exit.code(),
            message: "no permission for s3://bucket/x".into(),
            statistics: TaskStatistics::default(),
        };
        let attempts = [
            attempt("0", TaskExit::BadConfiguration),
            attempt("1", TaskExit::BadConfiguration),
            attempt("2", TaskExit::OutOfMemory),
        ];
        let found = diagnose_attempts(
            &attempts,
            &[(StageKind::Parts, "1".into())],
            RunnerKind::Local,
        );
        assert!(
            found[0].remedy.contains("--memory-limit"),
            "{}",
            found[0].remedy
        );
        let found: Vec<_> = found
            .iter()
            .map(|finding| (finding.severity, finding.cause, finding.fragments.join(",")))
            .collect();
        assert_eq!(
            found,
            [
                (Severity::Failed, Cause::OutOfMemory, "2".into()),
                (Severity::Failed, Cause::BadCredentials, "0".into()),
                (Severity::Overcome, Cause::BadCredentials, "1".into()),
            ]
        );
    }

    #[test]
    fn a_changed_input_is_no_bad_data() {
        let message = "trips.parquet has changed since the job was planned (9 bytes then, 8 now)";
        let report = AttemptReport {
            job: "trips".into(),
            stage: StageKind::Parts,
            fragment: "1".into(),
            attempt: "a".into(),
            exit_code: TaskExit::BadData.code(),
            message: message.into(),
            statistics: TaskStatistics::default(),
        };
        let found = diagnose_attempts(&[report], &[], RunnerKind::Local);
        assert_eq!(found[0].cause, Cause::InputChanged);
        assert!(found[0].remedy.contains("submit the job again"));
    }
}
