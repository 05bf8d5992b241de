//! How requests of Kubernetes become questions to Azure RBAC, rule by rule of the reference.
