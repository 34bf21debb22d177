// The function app on Flex Consumption.
param location string
param tags object
param token string
param identityId string
param clientId string
param workspaceId string
param insightsConnection string
param storageName string

@description('The address of the container that holds the deployed packages.')
param packages string

@description('Send from the private network.')
param privateNetwork bool

param maximumInstanceCount int
param httpConcurrency int
param zoneRedundant bool
param durableReady int

@description('The product\'s own settings.')
@secure()
param settings object

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  // checkov:skip=CKV_AZURE_225:a parameter: not every region of the plan has zones
  name: 'plan-cortex-${token}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { tier: 'FlexConsumption', name: 'FC1' }
  properties: { reserved: true, zoneRedundant: zoneRedundant }
}

var subnetId = resourceId('Microsoft.Network/virtualNetworks/subnets', 'vnet-cortex-${token}', 'app')

resource app 'Microsoft.Web/sites@2024-04-01' = {
  // checkov:skip=CKV_AZURE_222:people and webhooks call the API from outside; every request is authenticated
  // checkov:skip=CKV_AZURE_17:callers show tokens, not certificates
  // checkov:skip=CKV_AZURE_212:the plan scales to zero and has no such property
  // checkov:skip=CKV_AZURE_78:the plan refuses ftpsState; the policy `ftp` below closes FTP
  // checkov:skip=CKV_AZURE_18:the plan's front speaks HTTP/2 by itself
  // checkov:skip=CKV_AZURE_67:the plan's front speaks HTTP/2 by itself
  // checkov:skip=CKV_AZURE_213:the plan replaces instances by itself and takes no health check path
  name: 'func-cortex-${token}'
  location: location
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identityId}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    virtualNetworkSubnetId: privateNetwork ? subnetId : null
    // Flex Consumption refuses ftpsState and other properties of older plans; FTP is closed by its policy below.
    siteConfig: { minTlsVersion: '1.2' }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packages
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identityId }
        }
      }
      scaleAndConcurrency: {
        maximumInstanceCount: maximumInstanceCount
        instanceMemoryMB: 2048
        triggers: { http: { perInstanceConcurrency: httpConcurrency } }
        alwaysReady: durableReady > 0 ? [{ name: 'durable', instanceCount: durableReady }] : []
      }
      runtime: { name: 'python', version: '3.13' }
    }
  }
}

resource configuration 'Microsoft.Web/sites/config@2024-04-01' = {
  // checkov:skip=CKV_AZURE_13:the app authenticates every request itself
  // checkov:skip=CKV_AZURE_63:these are app settings; logs go to the workspace
  // checkov:skip=CKV_AZURE_65:these are app settings; logs go to the workspace
  // checkov:skip=CKV_AZURE_66:these are app settings; logs go to the workspace
  // checkov:skip=CKV_AZURE_80:these are app settings, and it is Python
  // checkov:skip=CKV_AZURE_88:the plan mounts no files; state is in blobs
  // checkov:skip=CKV_AZURE_222:these are app settings; see the app
  parent: app
  name: 'appsettings'
  properties: union(settings, {
    AzureWebJobsStorage__accountName: storageName
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: clientId
    AZURE_FUNCTIONS_DURABLE_STRICT_TYPING: '1'
    PYTHON_THREADPOOL_THREAD_COUNT: '16'
    APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnection
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${clientId};Authorization=AAD'
    AZURE_CLIENT_ID: clientId
  })
}

resource ftp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'ftp'
  properties: { allow: false }
}

resource scm 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'scm'
  properties: { allow: false }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'workspace'
  scope: app
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'FunctionAppLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

output url string = 'https://${app.properties.defaultHostName}'
