//! A job and its devices as JSON (iot-hub C7): `JobResponse`, and what `devices.jobs` selects (B7).
//! Refuses to know who reads them.

use super::plan::Action;
use super::state::{Device, Job, Phase, Progress};
use crate::Moment;
use crate::json::write_text;

impl Job {
    /// Appends `JobResponse`.
    pub fn write(&self, now_ms: u64, out: &mut Vec<u8>) {
        let plan = &self.plan;
        let mut fields = Fields::new(out);
        fields.text("jobId", plan.id.as_str());
        fields.text("queryCondition", &plan.condition_text);
        fields.moment("createdTime", plan.created_ms);
        fields.moment("startTime", plan.start_ms);
        if let Phase::Ended { at_ms, .. } = self.phase {
            fields.moment("endTime", at_ms);
        }
        fields.raw("maxExecutionTimeInSeconds", plan.execution_time_s.to_string().as_bytes());
        fields.text("type", plan.action.kind().as_str());
        match &plan.action {
            Action::Method(request) => {
                let mut method = Fields::new(fields.value("cloudToDeviceMethod"));
                method.text("methodName", request.name.as_str());
                if !request.payload.is_empty() {
                    method.raw("payload", &request.payload);
                }
                for (name, seconds) in [
                    ("responseTimeoutInSeconds", request.response_timeout_s),
                    ("connectTimeoutInSeconds", request.connect_timeout_s),
                ] {
                    method.raw(name, seconds.to_string().as_bytes());
                }
                method.end();
            }
            Action::Twin { request, .. } => fields.raw("updateTwin", request),
        }
        fields.text("status", self.status(now_ms).as_str());
        if let Phase::Ended { end, .. } = self.phase
            && let Some(why) = end.why()
        {
            fields.text("failureReason", why);
            fields.text("statusMessage", why);
        }
        let statistics = self.statistics();
        let mut counts = Fields::new(fields.value("deviceJobStatistics"));
        for (name, count) in [
            ("deviceCount", statistics.devices),
            ("failedCount", statistics.failed),
            ("succeededCount", statistics.succeeded),
            ("runningCount", statistics.running),
            ("pendingCount", statistics.pending),
        ] {
            counts.raw(name, count.to_string().as_bytes());
        }
        counts.end();
        fields.end();
    }

    /// Appends the record of a device, by its number; whether there is one.
    pub fn write_device(&self, number: u32, out: &mut Vec<u8>) -> bool {
        let device = self.devices.get(number as usize);
        device.inspect(|device| self.write_progress(device, out)).is_some()
    }

    fn write_progress(&self, device: &Device, out: &mut Vec<u8>) {
        let created_ms = self.plan.created_ms;
        let is_over = matches!(self.phase, Phase::Ended { .. });
        let (status, since_ms, at_ms) = match device.progress {
            Progress::Pending if is_over => ("canceled", None, None),
            Progress::Pending => ("pending", None, None),
            Progress::Running { since_ms } => ("running", Some(since_ms), None),
            Progress::Succeeded { since_ms, at_ms, .. } => {
                ("completed", Some(since_ms), Some(at_ms))
            }
            Progress::Failed { since_ms, at_ms, .. } => ("failed", Some(since_ms), Some(at_ms)),
        };
        let mut fields = Fields::new(out);
        fields.text("deviceId", device.id.as_str());
        fields.text("jobId", self.plan.id.as_str());
        fields.text("jobType", self.plan.action.kind().as_str());
        fields.text("status", status);
        since_ms.into_iter().for_each(|ms| fields.moment("startTimeUtc", ms));
        at_ms.into_iter().for_each(|ms| fields.moment("endTimeUtc", ms));
        fields.moment("createdDateTimeUtc", created_ms);
        fields.moment("lastUpdatedDateTimeUtc", at_ms.or(since_ms).unwrap_or(created_ms));
        match &device.progress {
            Progress::Succeeded { response: Some(response), .. } => {
                let (status, payload) = (response.status, &response.payload);
                let mut outcome = Fields::new(fields.value("outcome"));
                let mut response = Fields::new(outcome.value("deviceMethodResponse"));
                response.raw("status", status.to_string().as_bytes());
                response.raw("payload", if payload.is_empty() { b"null" } else { payload });
                response.end();
                outcome.end();
            }
            Progress::Failed { refusal, .. } => {
                let mut error = Fields::new(fields.value("error"));
                error.text("code", &format!("{}", refusal.code.number()));
                error.text("description", &refusal.message);
                error.end();
            }
            _ => {}
        }
        fields.end();
    }
}

/// The fields of an object in the making.
struct Fields<'o> {
    out: &'o mut Vec<u8>,
    count: usize,
}

impl<'o> Fields<'o> {
    fn new(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, count: 0 }
    }

    fn value(&mut self, key: &str) -> &mut Vec<u8> {
        if self.count > 0 {
            self.out.push(b',');
        }
        self.count += 1;
        write_text(key, self.out);
        self.out.push(b':');
        self.out
    }

    fn raw(&mut self, key: &str, value: &[u8]) {
        self.value(key).extend_from_slice(value);
    }

    fn text(&mut self, key: &str, text: &str) {
        write_text(text, self.value(key));
    }

    fn moment(&mut self, key: &str, unix_ms: u64) {
        self.text(key, Moment::at(unix_ms).text().as_str());
    }

    fn end(self) {
        self.out.push(b'}');
    }
}
