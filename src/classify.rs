//! Cold or warm, by evidence: pure judgements over what a provider observed.
